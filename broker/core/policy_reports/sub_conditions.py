"""Whether two values of `sub` can come to different decisions, found without deciding."""

from collections.abc import Iterator

from broker.core.conditions import Condition, Not
from broker.core.policy import Issuer, PolicySet
from broker.core.token_shape import claim_of_job


class SubConditions:
    """The conditions on `sub` that the tokens of one issuer meet.

    Nearly all are literals: one that names neither of two values holds for both, or for none.
    """

    def __init__(self, policy_set: PolicySet, issuer: Issuer) -> None:
        self._literals: set[str] = set()
        self._patterns: list[Condition] = []
        for condition in dict.fromkeys(_conditions(policy_set, issuer)):
            literals = _literals(condition)
            if literals is None:
                self._patterns.append(condition)
            else:
                self._literals.update(literals)
        self._always = _is_filled_in(policy_set, issuer)

    def tell_apart(self, one: str, other: str) -> bool:
        """Tell whether a decision may hang on which of two texts `sub` is."""
        return (
            self._always
            or not self._literals.isdisjoint((one, other))
            or any(
                each.holds({"sub": one}) != each.holds({"sub": other}) for each in self._patterns
            )
        )


def _conditions(policy_set: PolicySet, issuer: Issuer) -> Iterator[Condition]:
    for service in policy_set.services.values():
        yield from (each for each in service.require if each.claim == "sub")
    yield from (each for each in issuer.require if each.claim == "sub")
    for policy in policy_set.policies.values():
        if policy.issuer == issuer.name:
            yield from (each for each in policy.conditions if each.claim == "sub")


def _literals(condition: Condition) -> tuple[str, ...] | None:
    matcher = condition.matcher
    if isinstance(matcher, Not):
        return Condition("sub", matcher.inner).literals()
    return condition.literals()


def _is_filled_in(policy_set: PolicySet, issuer: Issuer) -> bool:
    """Tell whether `sub` itself stands in what a token says."""
    if any("sub" in each.instances for each in policy_set.service_accounts.values()):
        return True
    shapes = [each.shape for each in policy_set.services.values() if each.shape is not None]
    return any(
        claim_of_job(name, issuer.platform) == "sub" for each in shapes for name in each.workload
    )
