"""A simulation under way: one event after the other, in memory that does not grow with them."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from broker.core.broker_service import BROKER_SERVICE
from broker.core.holding import visible_to_caller
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Issuer
from broker.core.policy_index import PolicyIndex
from broker.core.record import record
from broker.core.simulation.causes import Cause, causes_of
from broker.core.simulation.change import Change, Subject, service_of, tenant_of
from broker.core.simulation.outcome import Kind, Outcome, Undecidable, differences, kind_of
from broker.core.simulation.past_decision import PassedOver, PastDecision, past_decision
from broker.core.simulation.redecision import REMEMBERED, Redeciding, Redecision
from broker.core.simulation.tally import Report, Tally

_MOST_ASKED: Final = 20
"""Of how many policies of an account that are near a job is asked whether they stand for it."""

NOT_REPRODUCED: Final = "this very set decided otherwise then"


@record
class Compared:
    """A decision on record, what it would come to, and how the two compare."""

    past: PastDecision
    found: Outcome | Undecidable
    kind: Kind
    subject: Subject
    change: Change | None
    """None where it is unchanged."""


class Simulation:
    """Decides events once more by a policy set, and counts what changes."""

    def __init__(
        self,
        policies: IndexedPolicies,
        *,
        base: IndexedPolicies | None = None,
        all_accounts: bool = False,
        own_audiences: frozenset[str] = frozenset(),
        remembered: int = REMEMBERED,
        redecision: Redeciding | None = None,
        replacing: bool = False,
    ) -> None:
        """The arguments are those of `Redecision`, or there is one that decides otherwise.

        Then the report only counts: whoever has what `take` gives tells the changes. `replacing`
        says that the policies took the place of others, which had other names.
        """
        self._policies = policies.policy_set
        self._base = None if base is None else base.policy_set
        self._redecision = redecision or Redecision(
            policies,
            base=base,
            all_accounts=all_accounts,
            own_audiences=own_audiences,
            remembered=remembered,
        )
        self._tally = Tally()
        self._grouped = redecision is None
        self._by_account: dict[tuple[str, str | None], PolicyIndex] = {}
        for policy in self._policies.policies.values() if replacing else ():
            issuer = self._policies.issuers[policy.issuer]
            index = self._by_account.setdefault(
                (issuer.name, policy.service_account), PolicyIndex(issuer)
            )
            index.file(policy)

    def take(self, event: Mapping[str, Any], *, size: int | None = None) -> Compared | None:
        """Decide one event, given as JSON members; `size` is that of its line in bytes.

        None for one that is passed over. Raises `EventRefused`.
        """
        past = past_decision(event) if size is None else past_decision(event, size=size)
        if isinstance(past, PassedOver):
            self._tally.pass_over(past)
            return None
        if past.unless_lifted is not None and not self._redecision.lifts(past):
            self._tally.pass_over(past.unless_lifted)
            return None
        found = self._redecision.decide(past)
        issuer = self._issuer(past)
        client = past.client_id is not None
        name = issuer.name if issuer is not None else past.issuer or ""
        subject = Subject(tenant_of(past, issuer), client, "" if client else name)
        kind, differing = self._compared(past, found)
        self._tally.count(kind, past, subject, known=self._knows(past, issuer))
        if kind is Kind.UNCHANGED:
            return Compared(past, found, kind, subject, None)
        if kind is Kind.UNDECIDABLE and isinstance(found, Outcome):
            found = Undecidable(NOT_REPRODUCED)
        change = self._change(kind, past, found, subject, differing)
        if self._grouped:
            ttl = found.ttl if isinstance(found, Outcome) else None
            self._tally.group(change, past, (past.outcome.ttl, ttl))
        return Compared(past, found, kind, subject, change)

    def report(self) -> Report:
        """Tell what was found so far."""
        return self._tally.report(self._policies.version)

    def _compared(
        self, past: PastDecision, found: Outcome | Undecidable
    ) -> tuple[Kind, tuple[str, ...]]:
        if isinstance(found, Undecidable):
            return Kind.UNDECIDABLE, ()
        # The instant is on record to the millisecond, so that a life that was cut may be one off.
        slack = int(found.cut)
        recorded = self._without_own_audience(past, found)
        differing = differences(recorded, found, granted=past.grant_recorded, ttl_slack=slack)
        kind = kind_of(recorded, found, differing)
        same_set = bool(self._policies.version) and past.policy_set == self._policies.version
        if kind is not Kind.UNCHANGED and same_set:
            return Kind.UNDECIDABLE, ()
        return kind, differing

    def _without_own_audience(self, past: PastDecision, found: Outcome) -> Outcome:
        """Give what is on record, with the broker's own audience as these policies have it.

        Which URL the broker has, its policies do not say.
        """
        was, now = past.outcome.audience, found.audience
        if was == now or None in (was, now) or past.request.targets != (BROKER_SERVICE,):
            return past.outcome
        return replace(past.outcome, audience=now)

    def _change(
        self,
        kind: Kind,
        past: PastDecision,
        found: Outcome | Undecidable,
        subject: Subject,
        differing: tuple[str, ...],
    ) -> Change:
        service = service_of(past, found, self._policies)
        if isinstance(found, Undecidable):
            return Change(
                kind, subject, service, reason=found.cause, claims=found.claims, detail=found.detail
            )
        was, now = set(past.outcome.scopes or ()), set(found.scopes or ())
        if kind is Kind.NEWLY_DENIED:
            return Change(
                kind,
                subject,
                service,
                past.outcome.service_account,
                past.outcome.policies,
                found.reason,
                self._causes(past, found),
                detail=found.detail,
                losses=tuple(sorted(was)),
            )
        shorter = (found.ttl or 0) < (past.outcome.ttl or 0)
        return Change(
            kind,
            subject,
            service,
            found.service_account,
            found.policies,
            past.outcome.reason,
            self._causes_before(past, found),
            gains=tuple(sorted(now - was)),
            losses=tuple(sorted(was - now)),
            others=tuple(
                (name, getattr(past.outcome, name), getattr(found, name))
                for name in differing
                if name not in ("scopes", "ttl")
            ),
            life=("shorter" if shorter else "longer") if "ttl" in differing else "",
        )

    def _causes(self, past: PastDecision, found: Outcome) -> tuple[Cause, ...]:
        """Say what stands between a job and the token that it had."""
        issuer, claims = self._issuer(past), past.claims or {}
        names = self._successors(past, issuer) or past.outcome.policies
        return causes_of(found, names, self._policies, issuer, claims, past.time)

    def _successors(self, past: PastDecision, issuer: Issuer | None) -> tuple[str, ...]:
        """Name what stands for a job in the place of what permitted it."""
        if not self._by_account or issuer is None or past.claims is None:
            return ()
        index = self._by_account.get((issuer.name, past.outcome.service_account))
        near = () if index is None else index.candidates(past.claims)
        return tuple(
            each.name
            for each in islice(near, _MOST_ASKED)
            if visible_to_caller(each, issuer, past.claims)
        )

    def _causes_before(self, past: PastDecision, found: Outcome) -> tuple[Cause, ...]:
        """Say what stood between a job and a token in the set of before, if that is there."""
        if self._base is None or past.outcome.reason is None or past.claims is None:
            return ()
        issuer = self._base.issuer_by_url(str(past.claims.get("iss")))
        return causes_of(past.outcome, found.policies, self._base, issuer, past.claims, past.time)

    def _issuer(self, past: PastDecision) -> Issuer | None:
        return self._policies.issuer_by_url(str((past.claims or {}).get("iss")))

    def _knows(self, past: PastDecision, issuer: Issuer | None) -> bool:
        """Tell whether the files name anything of an event: what asked, or what was asked for."""
        accounts = self._policies.service_accounts
        return (
            issuer is not None
            or past.client_id in accounts
            or past.outcome.service_account in accounts
        )
