"""How it stands with one issuer's keys, as readiness and operators see it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IssuerKeyStatus:
    """The keys held of one issuer, and what went wrong last.

    `failure` and `skipped` are sentences for operators; they never hold a proxy's password.
    """

    issuer: str
    """The issuer's configured name."""

    usable: bool
    """Whether keys are held that may verify a token now."""

    key_ids: tuple[str, ...]
    age: float | None
    """Seconds since the last good fetch began; None when there was none, and for a key file."""

    failure: str | None
    """Why the last fetch failed; None when it was good."""

    failures: int = 0
    """How many fetches failed in a row."""

    skipped: tuple[str, ...] = ()
    """Why some published keys are not used."""
