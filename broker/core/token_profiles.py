"""What the systems behind a `profile:` accept, as a table: one row per profile.

Sources: the documentation of AWS STS, Google's workload identity federation, Microsoft Entra's
federated identity credentials, and Kubernetes' OIDC tokens (standards FD-01 to FD-05).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

MAX_LIFE: Final = 3600
"""Seconds; for every profile."""

TOKEN_TYP: Final = "JWT"
"""The `typ` of every profile: never that of access tokens, so that neither passes for the other."""


@dataclass(frozen=True, slots=True)
class TokenProfile:
    """One kind of system that takes tokens of the broker for identities."""

    name: str
    algorithms: tuple[str, ...]
    """How its tokens may be signed, the usual one first."""

    audience: str | None = None
    """The only audience, None where the operator chooses: any that a service may have is short
    enough."""

    port_allowed: bool = True
    """Whether the issuer's URL may have a port."""

    own_prefix: str | None = None
    """What no text of a claim may begin with: the system acts on it by itself."""

    session_tags: bool = False
    """Whether its tokens may carry tags of a session."""


PROFILES: Final[Mapping[str, TokenProfile]] = MappingProxyType({
    each.name: each
    for each in (
        TokenProfile("aws", ("RS256", "ES256"), port_allowed=False, session_tags=True),
        TokenProfile("gcp", ("RS256", "ES256")),
        TokenProfile("entra", ("RS256",), audience="api://AzureADTokenExchange"),
        TokenProfile("kubernetes", ("RS256", "ES256"), own_prefix="system:"),
    )
})  # fmt: skip


def issuer_fault(profile: TokenProfile, issuer: str) -> str | None:
    """Say why systems of a profile cannot trust a broker of this issuer URL, None if they can."""
    parts = urlsplit(issuer)
    if parts.scheme != "https" or "?" in issuer or "#" in issuer or "@" in parts.netloc:
        return f"{profile.name} trusts https issuers without user, query and fragment alone"
    if parts.port is not None and not profile.port_allowed:
        return f"{profile.name} trusts no issuer whose URL has a port"
    return None
