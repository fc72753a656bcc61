"""Which claims of a policy's jobs are watched: those it leaves open, by a condition or by none."""

from collections.abc import Iterator
from typing import Final

from broker.core.conditions import AnyOf, Condition, Equals, Glob
from broker.core.platforms import Platform
from broker.core.policy import Issuer, Policy, ServiceAccount
from broker.core.policy_lint.glob_relations import has_wildcard
from broker.core.record import record


@record
class Watched:
    """A claim whose values are counted, as the jobs of one policy have them."""

    claim: str
    condition: Condition | None
    """What the policy says of it; None when it says nothing."""

    label: str | None = None
    """The claim that names for people what this one numbers."""

    only: frozenset[str] | None = None
    """The values that are worth being pinned; None when any is."""

    folded: bool = False
    """Whether ASCII case counts for nothing."""

    @property
    def top_level_claim(self) -> str:
        """The claim of the token that is looked at or into."""
        return self.claim if self.condition is None else self.condition.top_level_claim


@record
class _Unpinned:
    """A claim that a policy should say something of, unless it does so by another claim."""

    claim: str
    beside: tuple[str, ...]
    label: str | None = None
    only: frozenset[str] | None = None


_UNPINNED: Final = {
    "github": (
        _Unpinned("repository_id", ("repository", "environment_node_id", "sub"), "repository"),
        _Unpinned("ref", ("sub",)),
        _Unpinned("environment", ("environment_node_id", "sub")),
    ),
    "gitlab": (
        _Unpinned("project_id", ("project_path", "sub"), "project_path"),
        _Unpinned("ref", ("ref_path", "sub")),
        _Unpinned("ref_protected", (), only=frozenset({"true"})),
        _Unpinned("environment", ("sub",)),
    ),
}


def watched_claims(
    policy: Policy, issuer: Issuer, account: ServiceAccount | None
) -> tuple[Watched, ...]:
    """Choose what is watched of an allow policy: conditions first, then claims without one."""
    own = [
        Watched(each.claim, each, folded=each.folded)
        for each in policy.conditions
        if _leaves_open(each)
    ]
    return (*own, *_unpinned(policy, issuer, account))


def _leaves_open(condition: Condition) -> bool:
    matcher = condition.matcher
    if isinstance(matcher, Glob):
        return has_wildcard(matcher.pattern)
    return not isinstance(matcher, Equals) and not (
        isinstance(matcher, AnyOf) and len(matcher.items) == 1
    )


def _unpinned(policy: Policy, issuer: Issuer, account: ServiceAccount | None) -> Iterator[Watched]:
    platform = issuer.platform
    if platform is None:
        return
    said = {each.claim for each in (*policy.conditions, *issuer.require)}
    for each in _UNPINNED[platform.name]:
        if said.isdisjoint((each.claim, *each.beside)) and not _acts_apart(each, platform, account):
            folded = each.claim in platform.folded
            yield Watched(each.claim, None, each.label, each.only, folded)


def _acts_apart(each: _Unpinned, platform: Platform, account: ServiceAccount | None) -> bool:
    """Tell whether each repository acts as itself alone, so that there may be any number."""
    instances = account.instances if account else ()
    return each.claim == platform.tenant_ids[0] and each.claim in instances
