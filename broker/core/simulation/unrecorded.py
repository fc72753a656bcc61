"""Decisions that hang on claims of which no record tells whether the token had them.

An event keeps an allow-list of claims, and those that the policies of its moment named; what was
too large is left out (`broker.core.recorded_claims`). For anything else, absent may mean unknown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, product
from typing import Final

from broker.core.canonical_json import canonical
from broker.core.claims import Claims
from broker.core.conditions import AnyOf, Condition, Effect, all_hold
from broker.core.decision import Decision, DecisionRequest, Permit, decide
from broker.core.errors import Reason
from broker.core.holding import policy_holds
from broker.core.indexed_policies import IndexedPolicies
from broker.core.platforms import AUDIT_CLAIMS_WITHOUT_PRESET, PRESETS
from broker.core.policy import Issuer, Mode, Policy, Service
from broker.core.policy_index import PolicyIndex
from broker.core.record import record
from broker.core.simulation.past_decision import NO_ROOM
from broker.core.token_shape import claim_of_job

RECORDED_BY_PRESET: Final[Mapping[str | None, frozenset[str]]] = {
    None: AUDIT_CLAIMS_WITHOUT_PRESET,
    **{name: platform.audit_claims for name, platform in PRESETS.items()},
}
"""By the preset of then, the claims that an event holds, when the token had them and they fit."""

_IN_EVERY_TOKEN: Final[Mapping[str, frozenset[str]]] = {
    "github": frozenset({
        "actor", "actor_id", "event_name", "job_workflow_ref", "ref", "repository",
        "repository_id", "repository_owner", "repository_owner_id", "run_id", "sha", "sub",
        "workflow", "workflow_ref",
    }),
    "gitlab": frozenset({
        "job_id", "namespace_id", "namespace_path", "pipeline_id", "pipeline_source",
        "project_id", "project_path", "ref", "sha", "sub",
    }),
}  # fmt: skip
"""By preset, claims that were too large to be recorded when a record has none."""

_OF_ANY_LENGTH: Final = frozenset({"groups_direct"})
"""Lists that are often too large to be recorded."""

_MAX_OPEN: Final = 5
"""Of more, not every combination is tried: the decision counts as hanging on them."""

_NEVER: Final = Condition("", AnyOf(()))


def unknown_claims(
    absent: Sequence[str], recorded: frozenset[str], issuer: Issuer, *, full: bool
) -> tuple[str, ...]:
    """Choose, of claims that an event has not, those that the token may have had.

    `recorded` are those that events of its moment hold; with `full` there was no room for more.
    """
    if full:
        return tuple(absent)
    preset = issuer.platform.name if issuer.platform else ""
    dropped = _IN_EVERY_TOKEN.get(preset, frozenset()) | _OF_ANY_LENGTH
    return tuple(name for name in absent if name not in recorded or name in dropped)


def is_full(claims: Claims) -> bool:
    """Tell whether recorded claims are so large that there may have been no room for another."""
    return sum(len(canonical({name: value})) for name, value in claims.items()) > NO_ROOM


class OpenPolicies:
    """The enforcing policies of an issuer, without their conditions on some claims."""

    def __init__(self, policies: IndexedPolicies, issuer: Issuer, unknown: Iterable[str]) -> None:
        """`unknown` are the claims."""
        self._policies = policies
        self._issuer = issuer
        self._unknown = frozenset(unknown)
        self._known_require = self._known(issuer.require)
        self._requires = self._open_requires()
        self._whole: dict[str, Policy] = {}
        self._index = PolicyIndex(issuer)
        for policy in policies.policy_set.policies.values():
            if policy.issuer != issuer.name or policy.mode is not Mode.ENFORCE:
                continue
            known = self._known(policy.conditions)
            if len(known) < len(policy.conditions):
                self._whole[policy.name] = policy
                self._index.file(replace(policy, conditions=known))

    def possible(self, claims: Claims, request: DecisionRequest, now: float) -> "Possible":
        """Give the decisions that there could be, whatever the token had of the unknown claims."""
        plain = decide(claims, self._issuer, request, self._policies, now)
        if not all_hold(self._known_require, claims, Effect.ALLOW):
            return Possible((plain,))
        found = self._possible(plain, claims, request, now)
        # What is filled into a service's own claims, or a `sub`, may be what is not on record.
        unfilled = frozenset().union(*map(self._unfilled, found.decisions))
        return Possible((), tuple(sorted(unfilled))) if unfilled else found

    def _possible(
        self, plain: Decision, claims: Claims, request: DecisionRequest, now: float
    ) -> "Possible":
        held = [
            each
            for each in self._index.candidates(claims)
            if policy_holds(each, self._issuer, claims, now)
        ]
        require_open = len(self._known_require) < len(self._issuer.require)
        toggles = len(held) + bool(self._requires) + require_open
        if not toggles:
            return Possible((plain,))
        hangs_on = self._hangs_on(held)
        if toggles > _MAX_OPEN:
            return Possible((), hangs_on)
        others = [
            each
            for each in chain(
                self._policies.allowing(self._issuer, claims, now),
                self._policies.denying(self._issuer, claims, now),
            )
            if each.name not in self._whole
        ]
        found = [plain]
        for some in _subsets(held):
            found += [
                self._supposed([*others, *some], services, claims, request, now)
                for services in self._requires or [{}]
            ]
        if require_open:
            # It may not hold either, and then nothing does.
            found.append(self._supposed([], {}, claims, request, now))
        return Possible(tuple(found), hangs_on)

    def _unfilled(self, decision: Decision) -> frozenset[str]:
        """Name the unknown claims that were to be filled into a token, or its `sub`, in vain."""
        if isinstance(decision, Permit) or decision.reason is not Reason.CLAIM_INVALID:
            return frozenset()
        if decision.template is None:
            policy = self._policies.policy_set.policies[decision.policies[0]]
            accounts = self._policies.policy_set.service_accounts
            return self._unknown.intersection(accounts[policy.service_account or ""].instances)
        shape = self._policies.policy_set.services[decision.template.service].shape
        named = shape.workload if shape else ()
        return self._unknown.intersection(
            claim_of_job(name, self._issuer.platform) for name in named
        )

    def _hangs_on(self, held: Iterable[Policy]) -> tuple[str, ...]:
        """Name the unknown claims that these policies look at, or whatever is required."""
        conditions = chain(
            self._issuer.require,
            *(self._whole[policy.name].conditions for policy in held),
            *(each.require for each in self._policies.policy_set.services.values()),
        )
        return tuple(sorted(self._unknown & {each.top_level_claim for each in conditions}))

    def _supposed(
        self,
        holding: Iterable[Policy],
        services: Mapping[str, Service],
        claims: Claims,
        request: DecisionRequest,
        now: float,
    ) -> Decision:
        """Decide as if exactly these policies held, and services required what these do."""
        policy_set = self._policies.policy_set
        issuer = replace(self._issuer, require=self._known_require)
        supposed = replace(
            policy_set,
            issuers={issuer.name: issuer},
            services={**policy_set.services, **services},
            policies={each.name: each for each in holding},
        )
        return decide(claims, issuer, request, IndexedPolicies.of(supposed), now)

    def _open_requires(self) -> list[dict[str, Service]]:
        """Give the services whose `require` is open, as if it held and as if it did not.

        One decision asks one service: all of them together are one thing that is open.
        """
        holds, fails = {}, {}
        for service in self._policies.policy_set.services.values():
            known = self._known(service.require)
            if len(known) < len(service.require):
                holds[service.name] = replace(service, require=known)
                fails[service.name] = replace(service, require=(_NEVER,))
        return [holds, fails] if holds else []

    def _known(self, conditions: Iterable[Condition]) -> tuple[Condition, ...]:
        return tuple(each for each in conditions if each.top_level_claim not in self._unknown)


@record
class Possible:
    """The decisions that there could be, and the claims that they hang on.

    The first is the one for a token without these claims. There is none when there is more open
    than can be tried.
    """

    decisions: tuple[Decision, ...]
    claims: tuple[str, ...] = ()

    def settled(self) -> bool:
        """Tell whether all come to the same: all refuse, or all grant the same."""
        granted = {_grant(each) for each in self.decisions}
        return len(granted) == 1


def _grant(decision: Decision) -> tuple[object, ...] | None:
    if not isinstance(decision, Permit):
        return None
    account, service = decision.service_account.client_id, decision.service.audience
    return account, decision.sub, service, decision.scopes, decision.ttl


def _subsets(policies: Sequence[Policy]) -> Iterator[list[Policy]]:
    for chosen in product((False, True), repeat=len(policies)):
        yield [policy for policy, taken in zip(policies, chosen, strict=True) if taken]
