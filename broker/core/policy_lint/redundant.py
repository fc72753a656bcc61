"""Lints about policies that another one makes superfluous, and about what takes no effect."""

from collections.abc import Iterator, Sequence
from typing import Final

from broker.core.conditions import Effect
from broker.core.policy_lint.comparing import (
    are_within,
    can_hold,
    conditions_of,
    conditions_with_events,
    in_groups,
)
from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import AllowPolicy, LintedSet
from broker.core.policy_lint.matcher_relations import can_both_hold, implies
from broker.core.policy_lint.prefix_index import ConditionsByClaim, PrefixIndex

_BY_OUTSIDERS: Final = {"github": "pull_request", "gitlab": "merge_request_event"}


def shadowed(linted: LintedSet) -> Iterator[Remark]:
    """Find allow policies that add nothing to another one of the same account.

    Of two that say the same the second by name is remarked on.
    """
    able = [each for each in linted.allows if linted.counts(each.policy) and can_hold(each)]
    groups = in_groups(able, lambda each: [(each.issuer.name, each.policy.service_account)])
    for members in groups.values():
        if len(members) == 1:
            continue
        group = _Group(members)
        for place, allow in enumerate(members):
            wider = group.wider(place)
            if wider is not None:
                yield Remark(
                    ("policies", allow.policy.name),
                    f"`{wider}` holds for all of these jobs and grants as much, so that narrowing"
                    f" or deleting this policy changes nothing; delete it, or narrow `{wider}`",
                    at_key=True,
                )


def no_effect(linted: LintedSet) -> Iterator[Remark]:
    """Find allow policies that can never permit, and grants that their account does not hold."""
    for allow in linted.allows:
        yield from _without_event(allow)
        yield from _against_issuer(allow)
        yield from _beyond_account(allow)
    yield from _always_denied(linted)


class _Group:
    """Policies of one issuer and one account, by name."""

    def __init__(self, members: Sequence[AllowPolicy]) -> None:
        self._members = members
        self._conditions = [conditions_with_events(allow) for allow in members]
        self._premises = [_premises(*each) for each in zip(members, self._conditions, strict=True)]
        self._index = PrefixIndex(self._conditions)

    def wider(self, place: int) -> str | None:
        """Name a policy that makes the one at a place superfluous."""
        for other in self._index.implied(self._premises[place]):
            if other == place or not self._covers(other, place):
                continue
            # Of two that make each other superfluous one has to stay.
            if other < place or not self._covers(place, other):
                return self._members[other].policy.name
        return None

    def _covers(self, wide: int, narrow: int) -> bool:
        return _adds_nothing(self._members[narrow], self._members[wide]) and _all_follow(
            self._conditions[wide], self._premises[narrow]
        )


def _premises(allow: AllowPolicy, conditions: ConditionsByClaim) -> ConditionsByClaim:
    """Add what the issuer requires of the claims that the policy says nothing of."""
    required = {condition.claim: condition for condition in allow.issuer.require}
    return {**required, **conditions}


def _all_follow(conclusions: ConditionsByClaim, premises: ConditionsByClaim) -> bool:
    return all(
        claim in premises and implies(premises[claim], conclusion)
        for claim, conclusion in conclusions.items()
    )


def _adds_nothing(allow: AllowPolicy, other: AllowPolicy) -> bool:
    """Tell whether a policy grants no more, no shorter and no longer than another one."""
    one, two = allow.policy, other.policy
    return (
        are_within(allow.stated, other.stated)
        and _is_no_smaller(one.ttl, two.ttl)
        and _is_no_smaller(one.max_ttl, two.max_ttl)
        and _is_no_smaller(two.expires_at, one.expires_at)
    )


def _is_no_smaller(bound: float | None, other: float | None) -> bool:
    """Compare two bounds; None bounds nothing."""
    return bound is None or (other is not None and bound >= other)


def _without_event(allow: AllowPolicy) -> Iterator[Remark]:
    platform = allow.issuer.platform
    if platform is None or can_hold(allow):
        return
    event = next(allow.on(platform.event_claim))
    yield Remark(
        allow.own_path(event),
        "this matches no event: those that outsiders can cause have to be named one by one, as in"
        f" `{platform.event_claim}: [{_BY_OUTSIDERS[platform.name]}]`",
        at_key=True,
    )


def _against_issuer(allow: AllowPolicy) -> Iterator[Remark]:
    required = {condition.claim: condition for condition in allow.issuer.require}
    for condition in allow.policy.conditions:
        against = required.get(condition.claim)
        if against is not None and can_both_hold(condition, against) is False:
            yield Remark(
                (*allow.match_path, condition.claim),
                f"issuer `{allow.issuer.name}` requires another value, so that this policy never"
                " holds; delete it, or write what `require` says",
            )


def _beyond_account(allow: AllowPolicy) -> Iterator[Remark]:
    """Find what a policy would grant and its account does not hold."""
    policy, account = allow.policy, allow.account
    if policy.grants is None or account is None:
        return
    for service, scopes in policy.grants.items():
        held = account.grants.get(service)
        lacking = ", ".join(sorted(scopes - (held or frozenset())))
        if held is None or lacking:
            yield Remark(
                ("policies", policy.name, "grants", service),
                f"account `{account.client_id}` is not granted this, and a policy can only narrow;"
                f" under the account write `grants: {{{service}: [{lacking}]}}`",
                at_key=True,
            )


def _always_denied(linted: LintedSet) -> Iterator[Remark]:
    """Find allow policies whose every service a deny policy refuses to the same jobs."""
    denies = [
        policy
        for _, policy in sorted(linted.policy_set.policies.items())
        if policy.effect is Effect.DENY and linted.counts(policy) and policy.expires_at is None
    ]
    allows = in_groups(filter(can_hold, linted.allows), lambda allow: [allow.issuer.name])
    for issuer, policies in in_groups(denies, lambda policy: [policy.issuer]).items():
        conditions = [conditions_of(policy) for policy in policies]
        index = PrefixIndex(conditions)
        for allow in allows.get(issuer, ()):
            premises = _premises(allow, conditions_with_events(allow))
            left, refusing = set(allow.grants), []
            for place in index.implied(premises):
                services = policies[place].services
                refused = left if services is None else left & services
                if refused and _all_follow(conditions[place], premises):
                    left = left - refused
                    refusing.append(f"`{policies[place].name}`")
            if refusing and not left:
                yield Remark(
                    ("policies", allow.policy.name),
                    f"all of these jobs are refused by {' and '.join(refusing)}, whatever this"
                    " policy allows; delete it, or narrow what denies",
                    at_key=True,
                )
