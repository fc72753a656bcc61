"""The lint about two policies that leave it open which account a job acts as."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from broker.core.policy_lint.comparing import (
    can_hold,
    conditions_with_events,
    in_groups,
    with_ref_type,
)
from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import AllowPolicy, LintedSet
from broker.core.policy_lint.matcher_relations import can_both_hold
from broker.core.policy_lint.prefix_index import ConditionsByClaim, PrefixIndex
from broker.core.tenant_floor import pins_tenant

_TOLD: Final = 3


def ambiguous_account(linted: LintedSet) -> Iterator[Remark]:
    """Find policies that one job can satisfy both, for one service and different accounts.

    Of two such policies the first by name is remarked on. What cannot be told from the conditions
    alone (patterns of RE2, a repository's name in one policy and its id in the other) is not.
    """
    for name, found in _overlaps(linted).items():
        others = sorted(found)
        told = " or ".join(f"`{other}`" for other in others[:_TOLD])
        more = " or one of others" if len(others) > _TOLD else ""
        yield Remark(
            ("policies", name),
            f"a job that also satisfies {told}{more} is refused for `{found[others[0]]}` as"
            " `ambiguous_account` unless it asks for one by `client_id`; make them exclude each"
            " other, as by `ref` or `environment`",
            at_key=True,
        )


def _overlaps(linted: LintedSet) -> dict[str, dict[str, str]]:
    """Give, by policy and by each other one that overlaps with it, one service of both."""
    able = [each for each in linted.allows if linted.counts(each.policy) and can_hold(each)]
    groups = in_groups(able, lambda each: ((each.issuer.name, name) for name in each.stated))
    overlaps: dict[str, dict[str, str]] = defaultdict(dict)
    for (_, service), group in groups.items():
        for one, other in _overlapping(group):
            overlaps[one.policy.name].setdefault(other.policy.name, service)
    return overlaps


def _overlapping(group: Sequence[AllowPolicy]) -> Iterator[tuple[AllowPolicy, AllowPolicy]]:
    """Yield the pairs in a group of policies, of one issuer and service, that surely overlap."""
    conditions = [with_ref_type(conditions_with_events(allow)) for allow in group]
    index = PrefixIndex(conditions)
    for place, allow in enumerate(group):
        told = 0
        for behind in index.compatible_after(place, conditions[place]):
            other = group[behind]
            if told > _TOLD:
                break
            if (
                allow.policy.service_account != other.policy.service_account
                and _share_tenant(allow, conditions[place], conditions[behind])
                and _all_can_hold(conditions[place], conditions[behind])
            ):
                told += 1
                yield allow, other


def _all_can_hold(one: ConditionsByClaim, other: ConditionsByClaim) -> bool:
    return all(can_both_hold(one[claim], other[claim]) for claim in one.keys() & other.keys())


def _share_tenant(allow: AllowPolicy, one: ConditionsByClaim, other: ConditionsByClaim) -> bool:
    """Tell whether two policies speak of one tenant by the same claim.

    A repository's name in one and its id in the other may be one repository or two.
    """
    platform = allow.issuer.platform
    both = one.keys() & other.keys()
    if platform is not None:
        exact = {platform.tenant_ids[0], platform.tenant_names[0]}
        if exact & one.keys() and exact & other.keys():
            return bool(exact & both)
    return pins_tenant((), allow.issuer) or bool({*allow.issuer.tenant_claims, "sub"} & both)
