"""Learning ids from events: one event after the other, in memory that does not grow with them.

Only what a broker granted teaches anything, and only the policies that granted it: those that are
named in the event, are of the token's issuer in these files as well, and hold for its claims still.
So neither a refused job, nor another policy, nor an earlier policy of the same name can plant an id
(attacks row 170).
"""

import re
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from broker.core.claims import Claims, fold_ascii, text_of
from broker.core.conditions import Effect, all_hold
from broker.core.holding import policy_holds
from broker.core.indexed_policies import IndexedPolicies
from broker.core.pinning.proposals import Learned, PinReport, outcome_of
from broker.core.pinning.sightings import Sightings
from broker.core.pinning.targets import ISSUERS, POLICIES, targets_of
from broker.core.platforms import Platform
from broker.core.policy import Issuer, Policy, PolicySet
from broker.core.simulation.change import ref_of
from broker.core.simulation.past_decision import PassedOver, PastDecision, past_decision

EXCHANGED: Final = "token.exchanged"
SUCCESS: Final = "success"

_ID: Final = re.compile(r"0|[1-9][0-9]{0,19}")
"""An id as the platforms write it: decimal digits, of 64 bits at most."""


class Unheeded(StrEnum):
    """Why an event teaches nothing."""

    OTHER = "other"
    """Nothing was granted to a CI token by it."""

    ERASED = "erased"
    """Its claims were erased."""

    OTHER_ISSUER = "other_issuer"
    """No issuer of these files has the URL, with the preset of then."""

    OTHER_POLICY = "other_policy"
    """None of its policies is in these files, of this issuer and for this account."""

    HOLDS_NO_MORE = "holds_no_more"
    """Its policies would not hold for it any more, as they are in these files."""

    DENIED = "denied"
    """A deny policy of these files would hold for it."""


class Pinning:
    """Learns from events what ids stand behind the names in a policy set."""

    def __init__(self, policy_set: PolicySet) -> None:
        self._set = policy_set
        self._policies = IndexedPolicies.of(policy_set)
        self._learned = {
            (each.section, each.name): Learned(each) for each in targets_of(policy_set)
        }
        self._everywhere: dict[tuple[str, str, str], Sightings] = {
            (each.target.issuer, named.claim, named.key(name)): Sightings()
            for each in self._learned.values()
            for named in each.target.named
            for name in named.names
        }
        self._unheeded: Counter[Unheeded] = Counter()
        self._exchanges = self._heeded = self._known = 0

    def take(self, event: Mapping[str, Any], *, size: int | None = None) -> None:
        """Learn from one event, given as JSON members; `size` is that of its line in bytes.

        Raises `EventRefused`.
        """
        past = past_decision(event) if size is None else past_decision(event, size=size)
        if (
            isinstance(past, PassedOver)
            or event["type"] != EXCHANGED
            or event.get("outcome") != SUCCESS
            or not past.outcome.permits
        ):
            self._unheeded[Unheeded.OTHER] += 1
            return
        self._exchanges += 1
        unheeded = self._learn(past)
        if unheeded is None:
            self._heeded += 1
        else:
            self._unheeded[unheeded] += 1

    def report(self) -> PinReport:
        """Tell what was learned so far."""
        return PinReport(
            policy_set=self._set.version,
            outcomes=tuple(outcome_of(each, self._everywhere) for each in self._learned.values()),
            exchanges=self._exchanges,
            heeded=self._heeded,
            known=self._known,
            unheeded={each.value: self._unheeded[each] for each in Unheeded},
        )

    def _learn(self, past: PastDecision) -> Unheeded | None:
        """Learn from what was granted; say why nothing could be learned."""
        claims = past.claims
        if claims is None:
            self._known += 1
            return Unheeded.ERASED
        url = claims.get("iss")
        issuer = self._set.issuer_by_url(url) if isinstance(url, str) else None
        if issuer is None:
            return Unheeded.OTHER_ISSUER
        self._known += 1
        platform = issuer.platform
        if platform is None or platform.name != past.platform:
            return Unheeded.OTHER_ISSUER
        policies = self._policies_of(past, issuer)
        if not policies:
            return Unheeded.OTHER_POLICY
        if not all_hold(issuer.require, claims, Effect.ALLOW):
            return Unheeded.HOLDS_NO_MORE
        holding = [each for each in policies if policy_holds(each, issuer, claims, past.time)]
        if not holding:
            return Unheeded.HOLDS_NO_MORE
        if self._denied(past, claims, issuer):
            return Unheeded.DENIED
        names = [each.name for each in holding]
        self._count(past, claims, issuer, names)
        self._count_everywhere(past, claims, issuer, platform, names)
        return None

    def _policies_of(self, past: PastDecision, issuer: Issuer) -> list[Policy]:
        """Give the policies of these files that an event is of."""
        found = [self._set.policies.get(name) for name in dict.fromkeys(past.outcome.policies)]
        return [
            each
            for each in found
            if each is not None
            and each.effect is Effect.ALLOW
            and each.issuer == issuer.name
            and each.service_account == past.outcome.service_account
        ]

    def _denied(self, past: PastDecision, claims: Claims, issuer: Issuer) -> bool:
        """Tell whether a deny policy would refuse what was granted then."""
        service = self._set.service_by_audience(past.outcome.audience or "")
        return any(
            each.services is None or (service is not None and service.name in each.services)
            for each in self._policies.denying(issuer, claims, past.time)
        )

    def _count(
        self, past: PastDecision, claims: Claims, issuer: Issuer, policies: list[str]
    ) -> None:
        entries = [(POLICIES, name) for name in policies]
        entries.append((ISSUERS, issuer.name))
        ref = ref_of(past)
        for learned in filter(None, map(self._learned.get, entries)):
            for named in learned.target.named:
                found = _id_in(claims, named.id_claim)
                name = text_of(claims.get(named.claim))
                if found is None or name is None:
                    # A list of names, of which one holds, says nothing of whose the id is.
                    learned.without_id(named.claim, past.id)
                    continue
                learned.seen(named.claim, named.key(name)).add(found, past.time, ref, policies)

    def _count_everywhere(
        self,
        past: PastDecision,
        claims: Claims,
        issuer: Issuer,
        platform: Platform,
        policies: list[str],
    ) -> None:
        """Count whose a name is that any entry gives, whether or not these policies give it.

        A policy that is pinned, or takes names by a pattern, knows who had a name before.
        """
        for claim, id_claim in zip(platform.tenant_names, platform.tenant_ids, strict=True):
            found = _id_in(claims, id_claim)
            name = text_of(claims.get(claim))
            if found is None or name is None:
                continue
            key = fold_ascii(name) if claim in platform.folded else name
            seen = self._everywhere.get((issuer.name, claim, key))
            if seen is not None:
                seen.add(found, past.time, ref_of(past), policies)


def _id_in(claims: Claims, id_claim: str) -> str | None:
    """Give the id that a token had beside a name, None where it had none or no decimal one."""
    found = text_of(claims.get(id_claim))
    return found if found is not None and _ID.fullmatch(found) else None
