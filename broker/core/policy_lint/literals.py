"""Lints about values that are compared as they stand, although they look like patterns."""

from collections.abc import Iterator

from broker.core.condition_text import yaml_line
from broker.core.conditions import AnyOf, Condition, Equals, Glob, Not
from broker.core.policy import Issuer
from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import LintedSet, Path
from broker.core.tenant_floor import is_tenant_condition


def literal_star(linted: LintedSet) -> Iterator[Remark]:
    """Find literals with a star, in policies of both effects and in every `require`."""
    for path, condition, issuer in _conditions(linted):
        for within, text in _literals(condition):
            if "*" in text:
                yield Remark(
                    path + within,
                    "a star stands for itself here: only a token that says exactly this matches;"
                    f" {_advice(Condition(condition.claim, Equals(text)), text, issuer)}",
                )


def _advice(condition: Condition, text: str, issuer: Issuer | None) -> str:
    """Say what to write; no pattern where it would let in other tenants."""
    pattern = Condition(condition.claim, Glob(text))
    confines = issuer is not None and is_tenant_condition(condition, issuer)
    if issuer is not None and confines and not is_tenant_condition(pattern, issuer):
        return "write out the values that are meant"
    return f"for a pattern write {yaml_line(condition.claim, {'glob': text})}"


def _conditions(linted: LintedSet) -> Iterator[tuple[Path, Condition, Issuer | None]]:
    policy_set = linted.policy_set
    for name, issuer in policy_set.issuers.items():
        for each in issuer.require:
            yield ("issuers", name, "require", each.claim), each, issuer
    for name, service in policy_set.services.items():
        for each in service.require:
            yield ("services", name, "require", each.claim), each, None
    for name, policy in policy_set.policies.items():
        for each in policy.conditions:
            path = ("policies", name, "match", each.claim)
            yield path, each, policy_set.issuers[policy.issuer]


def _literals(condition: Condition) -> Iterator[tuple[Path, str]]:
    matcher = condition.matcher
    path: Path = ()
    if isinstance(matcher, Not):
        matcher, path = matcher.inner, ("not",)
    if isinstance(matcher, AnyOf):
        for index, item in enumerate(matcher.items):
            if isinstance(item, Equals):
                yield (*path, index), item.text
    elif isinstance(matcher, Equals):
        yield path, matcher.text
