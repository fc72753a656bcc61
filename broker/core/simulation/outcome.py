"""What a decision came to, as it was recorded or as other policies would have it."""

from dataclasses import field
from enum import StrEnum
from typing import Final

from broker.core.decision import Decision, Permit
from broker.core.record import record

GRANT: Final = ("service_account", "sub", "audience", "scopes", "ttl")
"""The members of an outcome in which two permits may differ."""


@record
class Outcome:
    """A permit, with what it grants, or a refusal. `ttl` is in seconds."""

    reason: str | None
    """Of a refusal; None for a permit."""

    policies: tuple[str, ...] = ()
    service_account: str | None = None
    sub: str | None = None
    audience: str | None = None
    scopes: tuple[str, ...] | None = None
    ttl: int | None = None
    detail: str = field(default="", compare=False)
    """What else there is to say of a refusal, for operators."""

    cut: bool = field(default=False, compare=False)
    """Whether `ttl` is what was left of the token's life."""

    @property
    def permits(self) -> bool:
        """Whether it is a permit."""
        return self.reason is None

    @classmethod
    def of(cls, decision: Decision) -> "Outcome":
        """Give what a decision comes to."""
        if isinstance(decision, Permit):
            return cls(
                None,
                decision.policies,
                decision.service_account.client_id,
                decision.sub,
                decision.service.audience,
                decision.scopes,
                decision.ttl,
            )
        return cls(decision.reason.value, decision.policies, detail=decision.detail)


@record
class Undecidable:
    """What the policies would decide cannot be told from what is on record.

    `claims` are those that it hangs on, when it is for want of claims.
    """

    cause: str
    claims: tuple[str, ...] = ()
    detail: str = ""
    """What the cause is about."""


class Kind(StrEnum):
    """How a decision on record and the same one by other policies compare."""

    NEWLY_DENIED = "newly_denied"
    NEWLY_PERMITTED = "newly_permitted"
    CHANGED = "changed"
    UNDECIDABLE = "undecidable"
    UNCHANGED = "unchanged"


def differences(
    recorded: Outcome, now: Outcome, *, granted: bool = True, ttl_slack: int = 0
) -> tuple[str, ...]:
    """Name the members in which two permits differ.

    With `granted` false it is not on record what was granted. A difference of the life of up to
    `ttl_slack` seconds is none: the instant of a decision is on record to the millisecond only.
    """
    if not granted:
        return ()
    if _grant(recorded) == _grant(now) and recorded.ttl == now.ttl:
        return ()
    found = [name for name in GRANT[:-1] if getattr(recorded, name) != getattr(now, name)]
    if abs((recorded.ttl or 0) - (now.ttl or 0)) > ttl_slack:
        found.append("ttl")
    return tuple(found)


def _grant(outcome: Outcome) -> tuple[object, ...]:
    return outcome.service_account, outcome.sub, outcome.audience, outcome.scopes


def kind_of(recorded: Outcome, now: Outcome, differing: tuple[str, ...]) -> Kind:
    """Compare two outcomes, of which permits differ in these members."""
    if recorded.permits != now.permits:
        return Kind.NEWLY_PERMITTED if now.permits else Kind.NEWLY_DENIED
    return Kind.CHANGED if now.permits and differing else Kind.UNCHANGED
