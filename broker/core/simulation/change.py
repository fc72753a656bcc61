"""What changes for whom: decisions on record that come to the same, told as one."""

from dataclasses import dataclass, field
from typing import Final

from broker.core.claims import text_of
from broker.core.errors import Reason
from broker.core.platforms import PRESETS
from broker.core.policy import Issuer, PolicySet
from broker.core.record import record
from broker.core.simulation.causes import Cause
from broker.core.simulation.outcome import Kind, Outcome, Undecidable
from broker.core.simulation.past_decision import PastDecision

_PREFIXES: Final = ("refs/heads/", "refs/tags/")
MAX_REFS: Final = 20
"""How many refs are named of one change."""

PULL_REQUESTS: Final = "pull requests"
"""Stands for the refs of all pull requests; no ref has a blank."""

_PULL: Final = "refs/pull/"


@record
class Subject:
    """Whose decision it was: a repository or project, or a client of the broker."""

    tenant: str
    """Empty when nothing on record says whose it was."""

    client: bool = False
    """Whether `tenant` is an account that showed credentials of its own."""

    issuer: str = ""
    """Whose job it was, by name: repositories of two platforms may be called the same. Empty for a
    client."""


def tenant_of(past: PastDecision, issuer: Issuer | None) -> str:
    """Name the repository, project or account that asked; "" when nothing on record says it.

    `issuer` is the token's, as the policies know it.
    """
    claims = past.claims
    if claims is None:
        return past.client_id or ""
    platform = PRESETS.get(past.platform or "")
    if platform is not None:
        tenant = claims.get(platform.tenant_names[0])
    else:
        texts = [text_of(claims.get(name)) for name in (issuer.tenant if issuer else ())]
        tenant = ":".join(each for each in texts if each)
    return text_of(tenant) or text_of(claims.get("sub")) or ""


def ref_of(past: PastDecision) -> str:
    """Name the ref that a job ran on, shortly; "" when nothing on record says it."""
    if past.platform not in PRESETS:
        return ""
    ref = text_of((past.claims or {}).get("ref")) or ""
    if ref.startswith(_PULL):
        # One of so many pull requests is as good as another.
        return PULL_REQUESTS
    for prefix in _PREFIXES:
        ref = ref.removeprefix(prefix)
    return ref


@record
class Change:
    """What a decision would come to instead; the same for all that are told as one."""

    kind: Kind
    subject: Subject
    service: str | None
    """By its name; None when none was asked for by a name that counts."""

    service_account: str | None = None
    """Of the token that there would be, else of the one that there was."""

    policies: tuple[str, ...] = ()
    """That would permit it, else that did."""

    reason: str | None = None
    causes: tuple[Cause, ...] = ()
    claims: tuple[str, ...] = ()
    """That it hangs on, of what is undecidable."""

    detail: str = ""
    gains: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    others: tuple[tuple[str, str | None, str | None], ...] = ()
    """What else differs, was and would be."""

    life: str = ""
    """`shorter` or `longer`, when the life of the token differs."""


@dataclass(slots=True)
class Group:
    """The decisions of which one change is told."""

    change: Change
    example: str
    """The `decision_id` of the first one."""

    first: float
    last: float
    """Their instants, in seconds since the epoch."""

    ttls: tuple[int | None, int | None] = (None, None)
    """The life of the first one's token, as it was and would be."""

    refs: dict[str, None] = field(default_factory=dict)
    """Where they ran, each once; the first ones, if there are many."""

    all_refs: bool = True
    runs: int = 0

    def add(self, time: float, ref: str) -> None:
        """Put one more decision to them."""
        self.runs += 1
        self.first, self.last = min(self.first, time), max(self.last, time)
        if not ref or ref in self.refs:
            return
        if len(self.refs) < MAX_REFS:
            self.refs[ref] = None
        else:
            self.all_refs = False


def service_of(
    past: PastDecision, outcome: Outcome | Undecidable, policies: PolicySet
) -> str | None:
    """Name the service that a decision is about."""
    # Of what is called otherwise now, it is the name that was asked by that is not there.
    gone = isinstance(outcome, Outcome) and outcome.reason == Reason.TARGET_UNKNOWN
    for audience in (_audience(outcome), None if gone else past.outcome.audience):
        if audience is not None:
            found = policies.service_by_audience(audience)
            return audience if found is None else found.name
    for target in past.request.targets:
        service = policies.service(target)
        return target if service is None else service.name
    return past.outcome.audience


def _audience(outcome: Outcome | Undecidable) -> str | None:
    return outcome.audience if isinstance(outcome, Outcome) else None
