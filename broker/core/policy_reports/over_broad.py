"""What policies allow and nobody was seen to need: refs, environments, repositories, scopes.

Of each there is a narrower condition, as a line for the policy, that holds for every run that was
seen. Where it is not on record what a run had, nothing is proposed.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from broker.core.audit import rfc3339
from broker.core.condition_text import written, yaml
from broker.core.conditions import AnyOf, Condition, Effect, Glob, Positive, Single
from broker.core.decision import available_scopes
from broker.core.indexed_policies import granted
from broker.core.policy import Grants, Mode, Policy, PolicySet
from broker.core.policy_lint.glob_relations import glob_covers
from broker.core.policy_reports.policy_use import PolicyUse
from broker.core.policy_reports.seen_values import SeenValues
from broker.core.record import record

MAX_PROPOSED: Final = 5
"""Of more values than so many nobody says that it was only these."""

FEW: Final = 10
"""Of fewer runs than so many it is said that they are few."""


class Breadth(StrEnum):
    """What is wider than what was seen."""

    NOT_PINNED = "not_pinned"
    """The policy says nothing of a claim."""

    PATTERN = "pattern"
    """A condition takes more values than there were."""

    LIST = "list"
    """Items of a list that no job had."""

    SCOPES = "scopes"
    """Scopes that were never granted."""


@record
class TooBroad:
    """Something that a policy allows and no run of it had."""

    policy: str
    observed: bool
    """Whether the policy is observed only."""

    breadth: Breadth
    claim: str | None
    """None for scopes."""

    allows: str | None
    """What the policy says of it, as in a file; None when it says nothing."""

    seen: tuple[tuple[str, int], ...]
    """The values that there were, the most frequent first, and how many runs had each."""

    labels: Mapping[str, str]
    """What people call a value, by value."""

    never: tuple[str, ...]
    """The items or scopes that no run had."""

    line: str
    """What to write instead, as a line of the policy."""

    runs: int
    """Of which this is told."""

    first: float
    last: float
    erased: int
    """Further runs whose claims were erased."""

    asked_for_all: int = 0
    """Of the runs, those that asked for whatever there is."""

    @property
    def few(self) -> bool:
        """Whether the runs are too few to tell much."""
        return self.runs < FEW

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON members."""
        return {
            "policy": self.policy,
            "observed": self.observed,
            "breadth": self.breadth.value,
            "claim": self.claim,
            "allows": self.allows,
            "seen": [
                {"value": value, "name": self.labels.get(value) or None, "runs": runs}
                for value, runs in self.seen
            ],
            "never": list(self.never),
            "line": self.line,
            "runs": self.runs,
            "few": self.few,
            "first": rfc3339(self.first),
            "last": rfc3339(self.last),
            "erased": self.erased,
            "asked_for_all": self.asked_for_all,
        }


@record
class NotOnRecord:
    """A claim of which nothing is said, since it is not on record what some runs had."""

    policy: str
    claim: str
    runs: int
    """Of which it is not known."""

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON members."""
        return {"policy": self.policy, "claim": self.claim, "runs": self.runs}


@record
class OverBroad:
    """The report, by policy."""

    found: tuple[TooBroad, ...]
    not_on_record: tuple[NotOnRecord, ...]

    @property
    def has_findings(self) -> bool:
        """Whether there is something to act upon."""
        return bool(self.found)

    def as_json(self) -> dict[str, Any]:
        """Give the report as JSON members."""
        return {
            "found": [each.as_json() for each in self.found],
            "not_on_record": [each.as_json() for each in self.not_on_record],
        }


def over_broad(uses: Mapping[str, PolicyUse], policy_set: PolicySet) -> OverBroad:
    """Look at every allow policy that was used."""
    found: list[TooBroad] = []
    unknown: list[NotOnRecord] = []
    for name, use in sorted(uses.items()):
        if use.policy.effect is Effect.DENY or not use.runs.runs:
            continue
        for values in use.values:
            if values.unknown:
                unknown.append(NotOnRecord(name, values.watched.claim, values.unknown))
            if use.looked_at:
                found += _of_claim(use, values)
        if use.policy.mode is Mode.ENFORCE:
            found += _of_scopes(use, policy_set)
    return OverBroad(tuple(found), tuple(unknown))


def narrower(values: SeenValues) -> Condition | None:
    """Give a condition that every run which was seen satisfies, and that allows less.

    None when there is none, or when it is not on record what every run had.
    """
    watched, condition = values.watched, values.watched.condition
    if condition is not None and isinstance(condition.matcher, AnyOf):
        return _fewer_items(values, condition)
    if not values.is_complete() or not 0 < len(values.counts) <= MAX_PROPOSED:
        return None
    if watched.only is not None and not watched.only.issuperset(values.counts):
        return None
    matcher = _one_or_any([values.item(each) for each in sorted(values.counts)])
    if condition is not None and _takes_as_much(matcher, condition):
        return None
    return Condition(watched.claim, matcher, watched.folded)


def _takes_as_much(matcher: Positive, condition: Condition) -> bool:
    """Tell whether a matcher takes all that a condition takes."""
    now = condition.matcher
    if not isinstance(matcher, Glob) or not isinstance(now, Glob):
        return False
    return glob_covers(matcher.pattern, now.pattern)


def _fewer_items(values: SeenValues, condition: Condition) -> Condition | None:
    matcher = condition.matcher
    items = matcher.items if isinstance(matcher, AnyOf) else ()
    left = [each for each in items if each not in values.unmatched]
    if values.unknown or not values.unmatched or not left:
        return None
    return Condition(condition.claim, _one_or_any(left), condition.folded)


def _one_or_any(items: Sequence[Single]) -> Positive:
    return items[0] if len(items) == 1 else AnyOf(tuple(items))


def _of_claim(use: PolicyUse, values: SeenValues) -> Iterator[TooBroad]:
    proposed = narrower(values)
    if proposed is None:
        return
    condition = values.watched.condition
    never: tuple[str, ...] = ()
    if condition is None:
        breadth = Breadth.NOT_PINNED
    elif isinstance(condition.matcher, AnyOf):
        breadth = Breadth.LIST
        never = tuple(yaml(written(each)) for each in values.unmatched)
    else:
        breadth = Breadth.PATTERN
    most_frequent = sorted(values.counts.items(), key=lambda each: (-each[1], each[0]))
    yield _too_broad(
        use,
        breadth,
        use.looked_at,
        claim=values.watched.claim,
        allows=None if condition is None else yaml(written(condition.matcher)),
        seen=tuple((values.first_written(key), runs) for key, runs in most_frequent[:MAX_PROPOSED]),
        labels={values.first_written(key): label for key, label in values.labels.items()},
        never=never,
        line=f"{yaml(proposed.claim)}: {yaml(written(proposed.matcher))}",
    )


def _of_scopes(use: PolicyUse, policy_set: PolicySet) -> Iterator[TooBroad]:
    grants = _grants(use.policy, policy_set)
    left = {
        service: scopes & use.scopes[service]
        for service, scopes in grants.items()
        if service in use.scopes
    }
    never = tuple(
        f"{service}: {scope}" if scope else service
        for service, scopes in sorted(grants.items())
        for scope in (sorted(scopes - left[service]) if service in left else sorted(scopes) or [""])
    )
    if not never or not left:
        return
    line = f"grants: {yaml({name: sorted(scopes) for name, scopes in sorted(left.items())})}"
    yield _too_broad(
        use,
        Breadth.SCOPES,
        use.runs.runs,
        claim=None,
        allows=yaml({name: sorted(scopes) for name, scopes in sorted(grants.items())}),
        seen=(),
        labels={},
        never=never,
        line=line,
        asked_for_all=use.asked_for_all,
    )


def _grants(policy: Policy, policy_set: PolicySet) -> Grants:
    """Give what a policy really grants, within its account's grants."""
    account = policy_set.service_accounts.get(policy.service_account or "")
    return {
        service: available_scopes([policy], account, policy_set.services[service])
        for service in granted(policy, policy_set)
        if account is None or service in account.grants
    }


def _too_broad(use: PolicyUse, breadth: Breadth, runs: int, **more: Any) -> TooBroad:  # noqa: ANN401
    first, last = use.runs.first, use.runs.last
    return TooBroad(
        policy=use.policy.name,
        observed=use.policy.mode is Mode.OBSERVE,
        breadth=breadth,
        runs=runs,
        first=first or 0.0,
        last=last or 0.0,
        erased=use.erased if breadth is not Breadth.SCOPES else 0,
        **more,
    )
