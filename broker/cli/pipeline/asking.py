"""What a command of a pipeline asks for, and the source of tokens that it makes of it."""

import os
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from broker.client.cached_source import CachedSource
from broker.client.errors import Misuse
from broker.client.patience import BUDGET
from broker.client.token_cache import open_cache
from broker.client.token_source import TokenSource


class Auth(StrEnum):
    """Who asks: the job by its ID token, or an account by its secret. It is never guessed."""

    OIDC = "oidc"
    CLIENT_SECRET = "client-secret"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command was told; texts are empty where nothing was said."""

    service: str = ""
    url: str = ""
    scope: str = ""
    ttl: str = ""
    service_account: str = ""
    auth: Auth = Auth.OIDC
    client_secret_file: Path | None = None
    id_token_file: Path | None = None
    id_token_variable: str = ""
    audience: str = ""
    no_cache: bool = False


def asked_for_audit(
    url: str,
    service_account: str,
    auth: Auth,
    client_secret_file: Path | None,
    id_token_file: Path | None,
    id_token_variable: str,
) -> Asked:
    """Ask for a token by which the audit of a broker may be read."""
    from broker.client.audit_pages import SCOPE, SERVICE

    return Asked(
        service=SERVICE,
        scope=SCOPE,
        url=url,
        service_account=service_account,
        auth=auth,
        client_secret_file=client_secret_file,
        id_token_file=id_token_file,
        id_token_variable=id_token_variable,
    )


def asked_by_environment(service: str) -> Asked:
    """Give what the variables say, for helpers that have no options of their own."""
    get = os.environ.get
    try:
        auth = Auth(get("BROKER_AUTH") or Auth.OIDC)
    except ValueError:
        raise Misuse("BROKER_AUTH must be oidc or client-secret") from None
    secret = get("BROKER_CLIENT_SECRET_FILE")
    return Asked(
        service=service,
        scope=get("BROKER_SCOPE", ""),
        ttl=get("BROKER_TTL", ""),
        service_account=get("BROKER_SERVICE_ACCOUNT", ""),
        auth=auth,
        client_secret_file=Path(secret) if secret else None,
    )


def source_of(asked: Asked, *, budget: float = BUDGET) -> CachedSource:
    """Make the source of what was asked for; `budget` is in seconds. Raises `ClientError`."""
    secret = _secret(asked)
    source = TokenSource(
        asked.url,
        service=asked.service,
        scope=asked.scope,
        ttl=asked.ttl,
        service_account=asked.service_account,
        audience=asked.audience,
        client_secret=secret,
        id_token_file=asked.id_token_file,
        id_token_variable=asked.id_token_variable,
        budget=budget,
    )
    return CachedSource(source, None if asked.no_cache else open_cache(os.environ))


def _secret(asked: Asked) -> str | None:
    if asked.auth is Auth.OIDC:
        if asked.client_secret_file is not None:
            raise Misuse(
                "a client secret is given, but not asked for: say --auth client-secret, or unset"
                " BROKER_CLIENT_SECRET_FILE"
            )
        return None
    if asked.client_secret_file is None:
        raise Misuse("--auth client-secret needs --client-secret-file (`-` for stdin)")
    if not asked.service_account:
        raise Misuse("--auth client-secret needs --service-account: whose secret it is")
    try:
        if str(asked.client_secret_file) == "-":
            text = sys.stdin.readline()
        else:
            text = asked.client_secret_file.read_text()
    except (OSError, UnicodeDecodeError):
        raise Misuse(f"{asked.client_secret_file} cannot be read") from None
    if not text.strip():
        raise Misuse(f"{asked.client_secret_file} is empty: there should be a client secret")
    return text.strip()
