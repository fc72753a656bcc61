"""A CI platform's token issuer with a real key, which also mints tokens that must be refused."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from broker.testing.clock import Clock, SystemClock
from broker.testing.jws import (
    PrivateKey,
    compact_jws,
    generate_key,
    key_id_of,
    public_jwk,
    public_pem,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from broker.testing.issuer_server import IssuerServer

GITHUB_LIFETIME: Final = 300
GITHUB_BACKDATE: Final = 300
GITLAB_LIFETIME: Final = 3600
GITLAB_BACKDATE: Final = 5


class FakeIssuer:
    """An issuer under one URL: real keys, real tokens, a discovery document and a JWKS.

    `url` becomes `iss` exactly as given; for an issuer that is going to be served it may have the
    port 0 (`http://127.0.0.1:0`), which `serve` replaces by a free one. `key` is generated when
    none is given. `lifetime` is exp − iat and `backdate` iat − nbf, both in seconds; the defaults
    are GitHub's.
    """

    def __init__(
        self,
        url: str,
        *,
        key: PrivateKey | None = None,
        algorithm: str = "RS256",
        clock: Clock | None = None,
        lifetime: int = GITHUB_LIFETIME,
        backdate: int = GITHUB_BACKDATE,
    ) -> None:
        self.url = url
        self.algorithm = algorithm
        self.lifetime = lifetime
        self.backdate = backdate
        self._clock = clock or SystemClock()
        self._keys: list[PrivateKey] = [key or generate_key(algorithm)]

    def __repr__(self) -> str:
        """Name the issuer, never its key."""
        return f"FakeIssuer({self.url!r})"

    @property
    def key(self) -> PrivateKey:
        """The key that signs now."""
        return self._keys[-1]

    @property
    def key_id(self) -> str:
        """The `kid` of the key that signs now."""
        return key_id_of(self.key)

    @property
    def public_pem(self) -> bytes:
        """The public half of the key that signs now, as PEM."""
        return public_pem(self.key)

    def rotate(self, key: PrivateKey | None = None, *, keep_old: bool = True) -> None:
        """Sign with a new key from now on; the JWKS still shows the old ones if they are kept."""
        new = key or generate_key(self.algorithm)
        self._keys = [*self._keys, new] if keep_old else [new]

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Give the JWKS document (RFC 7517 §5): public members only."""
        return {"keys": [public_jwk(key, self.algorithm, key_id_of(key)) for key in self._keys]}

    @property
    def jwks_uri(self) -> str:
        """Where the discovery document says that the keys are."""
        return f"{self.url.rstrip('/')}/.well-known/jwks"

    def discovery(self) -> dict[str, Any]:
        """Give the discovery document (OpenID Connect Discovery 1.0 §3), as GitHub's reads."""
        return {
            "issuer": self.url,
            "jwks_uri": self.jwks_uri,
            "subject_types_supported": ["public", "pairwise"],
            "response_types_supported": ["id_token"],
            "claims_supported": ["sub", "aud", "exp", "iat", "iss", "jti", "nbf"],
            "id_token_signing_alg_values_supported": [self.algorithm],
            "scopes_supported": ["openid"],
        }

    def token(
        self,
        claims: Mapping[str, Any],
        *,
        audience: str | list[str],
        lifetime: int | None = None,
        header: Mapping[str, Any] | bytes | None = None,
        payload: bytes | None = None,
        algorithm: str | None = None,
        key: PrivateKey | bytes | None = None,
    ) -> str:
        """Mint a token: `claims`, and what they do not say themselves of iss aud iat nbf exp jti.

        A claim that is None is left out, the six included. For wrong tokens:

        - `header`: members to add or, with None, to remove (`{"kid": None}`, `{"jku": …}`,
          `{"alg": "none"}` over a good signature); as bytes, the whole header
        - `payload`: the bytes to sign in place of the claims
        - `algorithm`: what really signs, and the header's `alg` unless `header` says otherwise:
          another asymmetric one, `none` (no signature) or HS256 (keyed with the public key as PEM,
          unless `key` has other bytes)
        - `key`: a key that is not the issuer's

        `lifetime` is in seconds. Raises `ValueError` when the key is not for the algorithm.
        """
        algorithm = algorithm or self.algorithm
        if key is None:
            key = self.public_pem if algorithm.startswith("HS") else self.key
        members = {"alg": algorithm, "kid": self.key_id, "typ": "JWT"}
        return compact_jws(
            header if isinstance(header, bytes) else _without_none(members | dict(header or {})),
            self.claims(claims, audience=audience, lifetime=lifetime)
            if payload is None
            else payload,
            algorithm=algorithm,
            key=key,
        )

    def claims(
        self, claims: Mapping[str, Any], *, audience: str | list[str], lifetime: int | None = None
    ) -> dict[str, Any]:
        """Give the claims that `token` would sign; `lifetime` is in seconds."""
        issued_at = int(self._clock.now())
        filled = {
            "iss": self.url,
            "aud": audience,
            "iat": issued_at,
            "nbf": issued_at - self.backdate,
            "exp": issued_at + (self.lifetime if lifetime is None else lifetime),
            "jti": str(uuid.uuid4()),
        }
        return _without_none(filled | dict(claims))

    def serve(self) -> "AbstractContextManager[IssuerServer]":
        """Serve discovery and JWKS on loopback from a thread while the context lasts.

        A loopback `url` is served under its own port (a free one for port 0, which `url` then
        names); any other URL under a free port, for a broker that is given the `jwks_uri`. Needs
        the extra `server`.
        """
        # Only here: whoever just mints tokens has no server installed.
        from broker.testing.issuer_server import serving_issuers  # noqa: PLC0415

        return serving_issuers(self)


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
