"""The tally of all reports: which policies, accounts and services the decisions on record are of.

Only what verified counts, only for the policies of the same issuer, and a run only where something
was granted or a deny policy refused: no traffic makes a policy used, or a value seen, that the
broker did not let in (attacks row 170).
"""

from collections.abc import Collection
from typing import Final

from broker.core.claims import Claims
from broker.core.conditions import Effect
from broker.core.holding import guard_holds
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Issuer, Mode, Policy, PolicySet
from broker.core.policy_reports.decisive import is_decisive, is_decisive_of
from broker.core.policy_reports.may_decide import MayDecide
from broker.core.policy_reports.policy_use import Period, PolicyUse
from broker.core.policy_reports.seen_values import SeenValues
from broker.core.policy_reports.watched import watched_claims
from broker.core.simulation.outcome import Outcome, Undecidable
from broker.core.simulation.past_decision import PastDecision
from broker.core.simulation.unrecorded import RECORDED_BY_PRESET, is_full, unknown_claims

MAX_SETS: Final = 1000
"""Of how many versions of the policies the decisions are counted apart."""


class Uses:
    """Counts the uses of everything in a policy set."""

    def __init__(self, policies: IndexedPolicies) -> None:
        self._indexed = policies
        policy_set = policies.policy_set
        self.policies = {
            each.name: PolicyUse(each, _values_of(each, policy_set))
            for each in policy_set.policies.values()
        }
        self.accounts: set[str] = set()
        """Those that acted, or would by these files."""

        self.services: set[str] = set()
        self.issuers: dict[str, Period] = {name: Period() for name in policy_set.issuers}
        """The decisions on tokens of each issuer."""

        self.sets: dict[tuple[str, str], Period] = {}
        """The decisions by version of the policies and issuer."""

        self.decisions = 0
        self.erased = 0
        self._may_decide = MayDecide(policy_set)
        self._policy_set = policy_set
        self._observing = {
            each.issuer for each in policy_set.policies.values() if each.mode is Mode.OBSERVE
        }

    def take(self, past: PastDecision, found: Outcome | Undecidable) -> None:
        """Count a decision, with what these files make of it."""
        self.decisions += 1
        self._count_targets(past.outcome)
        if isinstance(found, Outcome) and past.grant_recorded:
            self._count_targets(found)
        issuer = self._issuer(past)
        if past.client_id is not None or issuer is None:
            return
        self.issuers[issuer.name].add(past.time)
        self._count_set(past, issuer)
        if past.claims is None:
            self.erased += 1
        now = found.policies if isinstance(found, Outcome) and is_decisive(found) else ()
        for name in past.outcome.policies:
            use = self._use(name, issuer)
            if use is not None:
                self._count(use, past, issuer, found)
        if past.grant_recorded:
            self._count_observed(past, issuer)
            if now and (now != past.outcome.policies or not is_decisive(past.outcome)):
                self._count_newly(past, now)
            if isinstance(found, Undecidable):
                self._count_perhaps(past, issuer, found)

    def _count(
        self, use: PolicyUse, past: PastDecision, issuer: Issuer, found: Outcome | Undecidable
    ) -> None:
        outcome = past.outcome
        if not past.grant_recorded:
            use.explained += 1
        elif not is_decisive_of(use.policy, outcome):
            use.refused += 1
        elif use.policy.effect is Effect.DENY:
            use.runs.add(past.time)
        else:
            use.runs.add(past.time)
            service = self._policy_set.service_by_audience(outcome.audience or "")
            if service is not None:
                use.scopes.setdefault(service.name, set()).update(outcome.scopes or ())
            use.asked_for_all += past.request.scopes is None
            holds = isinstance(found, Outcome) and use.policy.name in found.policies
            self._count_values(use, past, issuer, holds=holds)

    def _count_values(
        self, use: PolicyUse, past: PastDecision, issuer: Issuer, *, holds: bool
    ) -> None:
        """Count what a run had, if the policy as it is now holds for it, as far as is known."""
        claims = past.claims
        if claims is None:
            use.erased += 1
        elif holds or _may_hold(use.policy, issuer, claims):
            for values in use.values:
                top = values.watched.top_level_claim
                # Nearly always it is there.
                values.add(claims, known=top in claims or _is_known(top, past, issuer))
        else:
            use.otherwise += 1

    def _count_observed(self, past: PastDecision, issuer: Issuer) -> None:
        for name in past.observed:
            use = self._use(name, issuer)
            if use is None:
                continue
            if use.policy.mode is Mode.OBSERVE:
                use.runs.add(past.time)
                self._count_values(use, past, issuer, holds=False)
        if issuer.name in self._observing and past.claims is not None:
            for each in self._indexed.observed(issuer, past.claims, past.time):
                if each.name not in past.observed:
                    self.policies[each.name].newly += 1

    def _count_newly(self, past: PastDecision, now: Collection[str]) -> None:
        before = past.outcome.policies if is_decisive(past.outcome) else ()
        for name in now:
            if name not in before:
                self.policies[name].newly += 1

    def _count_perhaps(self, past: PastDecision, issuer: Issuer, found: Undecidable) -> None:
        if past.claims is None:
            return
        before = past.outcome.policies if is_decisive(past.outcome) else ()
        for name in self._may_decide.names(issuer, past.claims, found.claims, past.time):
            if name in before:
                continue
            use = self.policies[name]
            use.perhaps += 1
            if use.policy.service_account is not None:
                self.accounts.add(use.policy.service_account)
                asked = map(self._policy_set.service, past.request.targets)
                self.services.update(each.name for each in asked if each is not None)

    def _count_targets(self, outcome: Outcome) -> None:
        account = outcome.service_account
        if account is not None and account in self._policy_set.service_accounts:
            self.accounts.add(account)
        if outcome.audience is not None:
            service = self._policy_set.service_by_audience(outcome.audience)
            if service is not None:
                self.services.add(service.name)

    def _count_set(self, past: PastDecision, issuer: Issuer) -> None:
        key = (past.policy_set or "", issuer.name)
        period = self.sets.get(key)
        if period is None:
            if len(self.sets) >= MAX_SETS:
                return
            period = self.sets[key] = Period()
        period.add(past.time)

    def _use(self, name: str, issuer: Issuer) -> PolicyUse | None:
        """Find a policy of this issuer; one of the same name for another is another policy."""
        use = self.policies.get(name)
        return use if use is not None and use.policy.issuer == issuer.name else None

    def _issuer(self, past: PastDecision) -> Issuer | None:
        """Find whose token it was: by its URL, and by the name of then once claims were erased."""
        if past.claims is None:
            return self._policy_set.issuers.get(past.issuer or "")
        url = past.claims.get("iss")
        return self._policy_set.issuer_by_url(url) if isinstance(url, str) else None


def _values_of(policy: Policy, policy_set: PolicySet) -> tuple[SeenValues, ...]:
    if policy.effect is Effect.DENY:
        return ()
    account = policy_set.service_accounts.get(policy.service_account or "")
    watched = watched_claims(policy, policy_set.issuers[policy.issuer], account)
    return tuple(map(SeenValues.of, watched))


def _may_hold(policy: Policy, issuer: Issuer, claims: Claims) -> bool:
    """Tell whether nothing that is on record fails the policy."""
    return guard_holds(policy, issuer, claims) and all(
        each.top_level_claim not in claims or each.holds(claims) for each in policy.conditions
    )


def _is_known(claim: str, past: PastDecision, issuer: Issuer) -> bool:
    """Tell whether a claim that a record has not was not in the token either."""
    recorded = RECORDED_BY_PRESET.get(past.platform, RECORDED_BY_PRESET[None])
    full = past.large and is_full(past.claims or {})
    return not unknown_claims((claim,), recorded, issuer, full=full)
