"""The dev platform: a local GitHub and GitLab for `broker serve --dev`, with one key in a file.

Whoever can read the key file can mint tokens for a development broker on this machine. It is worth
nothing anywhere else: both issuers have loopback URLs, which no other broker trusts.
"""

import base64
import hashlib
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from broker.testing.clock import Clock
from broker.testing.fake_issuer import (
    GITHUB_BACKDATE,
    GITHUB_LIFETIME,
    GITLAB_BACKDATE,
    GITLAB_LIFETIME,
    FakeIssuer,
)
from broker.testing.issuer_app import ASGIApp, issuer_app
from broker.testing.jws import generate_key
from broker.testing.loopback import require_loopback_url
from broker.testing.platform_tokens import github_claims, gitlab_claims

PlatformName = Literal["github", "gitlab"]

KEY_FILE: Final = "platform-key.pem"


class DevKeyRefused(Exception):
    """The key file is not one to sign with, or cannot be had; the message says why."""


@dataclass(frozen=True, slots=True)
class DevPlatform:
    """Two issuers under one base URL, `<base>/github` and `<base>/gitlab`, with the same key."""

    github: FakeIssuer
    gitlab: FakeIssuer

    @classmethod
    def open(cls, base_url: str, data: Path, *, clock: Clock | None = None) -> "DevPlatform":
        """Open the dev platform whose key lives in the folder `data`, creating both if need be.

        Raises `NotLoopback` for a base URL that others could reach, and `DevKeyRefused`.
        """
        base_url = require_loopback_url(base_url)
        key = read_or_create_key(data / KEY_FILE)
        github = FakeIssuer(
            f"{base_url}/github",
            key=key,
            clock=clock,
            lifetime=GITHUB_LIFETIME,
            backdate=GITHUB_BACKDATE,
        )
        gitlab = FakeIssuer(
            f"{base_url}/gitlab",
            key=key,
            clock=clock,
            lifetime=GITLAB_LIFETIME,
            backdate=GITLAB_BACKDATE,
        )
        return cls(github, gitlab)

    def app(self) -> ASGIApp:
        """Give the ASGI app that serves both discovery documents and key sets."""
        return issuer_app([self.github, self.gitlab])

    def token(
        self,
        platform: PlatformName,
        overrides: Mapping[str, object],
        *,
        audience: str,
        immutable_sub: bool = False,
    ) -> str:
        """Mint a token shaped like the platform's; no server is needed for that.

        `overrides` are claims of `github_claims` or `gitlab_claims`; None leaves one out.
        """
        if platform == "gitlab":
            return self.gitlab.token(gitlab_claims(**overrides), audience=audience)
        return self.github.token(
            github_claims(immutable_sub=immutable_sub, **overrides),
            audience=audience,
            # GitHub names a certificate beside the key, though its key set shows none.
            header={"x5t": _x5t(self.github)},
        )


def read_or_create_key(path: Path) -> rsa.RSAPrivateKey:
    """Read the RSA key in a PEM file, or create the file, readable by its owner alone.

    Of several processes that begin together, one creates it and all use it. Raises
    `DevKeyRefused`.
    """
    try:
        with suppress(FileNotFoundError):
            return _read_key(path)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _create_file(path, _new_key())
        return _read_key(path)
    except OSError as error:
        raise DevKeyRefused(
            f"{error.filename or path} cannot be used: {error.strerror}; name another folder"
        ) from None


def _read_key(path: Path) -> rsa.RSAPrivateKey:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & 0o077:
            raise DevKeyRefused(f"{path} can be read by others: chmod 600, or delete it")
        text = file.read()
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError):
        raise DevKeyRefused(f"{path} holds no private key in PEM: delete it") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise DevKeyRefused(f"{path} holds a key that is not RSA: delete it")
    return key


def _new_key() -> bytes:
    return generate_key("RS256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _create_file(path: Path, text: bytes) -> None:
    """Create a file whole or not at all, unless another process has been quicker."""
    # mkstemp opens with O_EXCL and 0600.
    file, part = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(file, "wb") as out:
            out.write(text)
        # Unlike a rename, a link never replaces what is there.
        with suppress(FileExistsError):
            os.link(part, path)
    finally:
        Path(part).unlink()


def _x5t(issuer: FakeIssuer) -> str:
    der = issuer.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.sha1(der, usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
