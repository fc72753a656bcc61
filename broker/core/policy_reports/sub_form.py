"""What breaks when GitHub writes ids into the `sub` of a repository (attacks rows 69, 73).

Each decision is made again with the `sub` that the same job will have then; the ids are those on
record in the same event.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from broker.core.audit import rfc3339
from broker.core.claims import Claims, fold_ascii, text_of
from broker.core.condition_text import written, yaml
from broker.core.conditions import Condition, Not
from broker.core.indexed_policies import IndexedPolicies
from broker.core.platforms import GITHUB
from broker.core.policy import Issuer, Mode, Policy
from broker.core.policy_lint.sub import classic_items
from broker.core.policy_reports.immutable_subs import (
    Repository,
    TwoIds,
    with_immutable_form,
)
from broker.core.policy_reports.policy_use import Period
from broker.core.policy_reports.sub_conditions import SubConditions
from broker.core.record import record
from broker.core.simulation.outcome import Kind, Outcome, Undecidable, differences, kind_of
from broker.core.simulation.past_decision import PastDecision
from broker.core.simulation.redecision import Redecision
from broker.core.sub_forms import immutable_form, repository_id_in

MAX_REPOSITORIES: Final = 500
"""How many changes of repositories are told, and how many kinds of `sub` of each are tried."""

TWO_IDS: Final = "two ids were seen under one name"
NO_FORM: Final = "it has no counterpart with ids; match `repository_id` and other claims instead"
NO_RUN: Final = "no run on record says which ids are meant"

_TELLING: Final = ("iss", "sub", "repository", "repository_id", "repository_owner_id")
_REMEMBERED: Final = 20_000
_TOLD: Final = (Kind.NEWLY_DENIED, Kind.NEWLY_PERMITTED, Kind.CHANGED)


class _Form(Enum):
    """Why the form of a `sub` makes no difference, or none that can be told."""

    IMMUTABLE = 1
    WITHOUT_IDS = 2
    SAME = 3


@record
class _Turning:
    """What a `sub` will be, where a condition may tell it from what it is."""

    repository: Repository
    sub: str
    then: str


@record
class _Key:
    kind: Kind
    policies: tuple[str, ...]
    repository: Repository


@dataclass(slots=True)
class _Group:
    runs: Period = field(default_factory=Period)
    subs: dict[str, str] = field(default_factory=dict)
    """The immutable form of each classic one."""


@record
class Breaking:
    """Runs of one repository that would come out otherwise."""

    kind: Kind
    repository: Repository
    runs: int
    first: float
    last: float

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON members."""
        return {
            "kind": self.kind.value,
            "repository": f"{self.repository.owner}/{self.repository.name}",
            "repository_id": self.repository.repository_id,
            "repository_owner_id": self.repository.owner_id,
            "runs": self.runs,
            "first": rfc3339(self.first),
            "last": rfc3339(self.last),
        }


@record
class SubPolicy:
    """A policy with a condition on `sub` that the immutable form ends."""

    policy: str
    effect: str
    observed: bool
    condition: str
    """As it stands in the file."""

    breaking: tuple[Breaking, ...]
    line: str | None
    """What takes both forms; None when it cannot be told, and then `why` says why."""

    why: str | None

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON members."""
        return {
            "policy": self.policy,
            "effect": self.effect,
            "observed": self.observed,
            "condition": self.condition,
            "repositories": [each.as_json() for each in self.breaking],
            "line": self.line,
            "why": self.why,
        }


@record
class SubForm:
    """The report."""

    policies: tuple[SubPolicy, ...]
    by_require: tuple[Breaking, ...]
    """What breaks by a `require`, not by a policy."""

    more: int
    """Further runs that would come out otherwise, of repositories beyond the bound."""

    undecidable: int
    without_ids: int
    """Runs with a classic `sub` whose ids are not on record."""

    immutable: int
    """Runs whose `sub` has ids already."""

    @property
    def has_findings(self) -> bool:
        """Whether something breaks, or may."""
        return bool(self.policies or self.by_require or self.more)

    def as_json(self) -> dict[str, Any]:
        """Give the report as JSON members."""
        return {
            "policies": [each.as_json() for each in self.policies],
            "by_require": [each.as_json() for each in self.by_require],
            "more": self.more,
            "undecidable": self.undecidable,
            "without_ids": self.without_ids,
            "immutable": self.immutable,
        }


class SubForms:
    """Finds the decisions that hang on the form of `sub`."""

    def __init__(self, policies: IndexedPolicies, redecision: Redecision) -> None:
        self._set = policies.policy_set
        self._redecision = redecision
        self._turns = {
            issuer.url: SubConditions(self._set, issuer)
            for name, issuer in self._set.issuers.items()
            if issuer.platform is GITHUB and "sub" in policies.named_claims[name]
        }
        self._forms: dict[tuple[str | None, ...], _Form | _Turning] = {}
        self._groups: dict[_Key, _Group] = {}
        self._more = self._undecidable = self._without_ids = self._immutable = 0

    def take(self, past: PastDecision, found: Outcome | Undecidable) -> None:
        """Count a decision, as these files make it."""
        claims = past.claims
        if claims is None or not past.grant_recorded:
            return
        conditions = self._turns.get(claims.get("iss", ""))
        if conditions is None:
            return
        key = tuple(text_of(claims.get(name)) for name in _TELLING)
        form = self._forms.get(key)
        if form is None:
            if len(self._forms) >= _REMEMBERED:
                self._forms.clear()
            form = self._forms[key] = _form(claims, conditions)
        if not isinstance(form, _Turning):
            self._immutable += form is _Form.IMMUTABLE
            self._without_ids += form is _Form.WITHOUT_IDS
            return
        repository, sub, then = form.repository, form.sub, form.then
        changed = {**claims, "sub": then}
        now = self._redecision.decide(replace(past, claims=changed))
        if isinstance(found, Undecidable) or isinstance(now, Undecidable):
            self._undecidable += 1
            return
        slack = int(found.cut or now.cut)
        kind = kind_of(found, now, differences(found, now, ttl_slack=slack))
        if kind is not Kind.UNCHANGED:
            names = tuple(self._turning({*found.policies, *now.policies}, claims, changed))
            self._count(_Key(kind, names, repository), past.time, sub, then)

    def report(self) -> SubForm:
        """Tell what was found so far."""
        policies = []
        for name, policy in sorted(self._set.policies.items()):
            condition = _on_sub(policy, self._set.issuers[policy.issuer])
            groups = [(key, each) for key, each in self._groups.items() if name in key.policies]
            if condition is not None and (groups or _is_classic(condition)):
                policies.append(_sub_policy(policy, condition, dict(groups)))
        return SubForm(
            tuple(policies),
            tuple(_breaking({key: each for key, each in self._groups.items() if not key.policies})),
            self._more,
            self._undecidable,
            self._without_ids,
            self._immutable,
        )

    def _turning(self, names: Iterable[str], before: Claims, after: Claims) -> Iterator[str]:
        """Name the policies whose condition on `sub` turns."""
        for name in sorted(names):
            policy = self._set.policies[name]
            condition = _on_sub(policy, self._set.issuers[policy.issuer])
            if condition is not None and (
                condition.holds(before, policy.effect) != condition.holds(after, policy.effect)
            ):
                yield name

    def _count(self, key: _Key, time: float, sub: str, then: str) -> None:
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= MAX_REPOSITORIES:
                self._more += 1
                return
            group = self._groups[key] = _Group()
        group.runs.add(time)
        if len(group.subs) < MAX_REPOSITORIES:
            group.subs[sub] = then


def _form(claims: Claims, conditions: SubConditions) -> _Form | _Turning:
    sub = text_of(claims.get("sub")) or ""
    if repository_id_in(sub) is not None:
        return _Form.IMMUTABLE
    if not _names(sub, claims):
        return _Form.SAME
    repository, then = _repository(claims), None
    if repository is not None:
        then = immutable_form(sub, repository.owner_id, repository.repository_id)
    if repository is None or then is None:
        return _Form.WITHOUT_IDS
    return _Turning(repository, sub, then) if conditions.tell_apart(sub, then) else _Form.SAME


def _sub_policy(policy: Policy, condition: Condition, groups: Mapping[_Key, _Group]) -> SubPolicy:
    line, why = None, NO_RUN
    if groups:
        line, why = _proposed(policy, condition, groups)
    return SubPolicy(
        policy.name,
        policy.effect.value,
        policy.mode is Mode.OBSERVE,
        f"sub: {yaml(written(condition.matcher))}",
        tuple(_breaking(groups)),
        line,
        None if line else why,
    )


def _proposed(
    policy: Policy, condition: Condition, groups: Mapping[_Key, _Group]
) -> tuple[str | None, str]:
    """Give a line for the policy that was tried on what was seen, or why there is none."""
    repositories = list(dict.fromkeys(key.repository for key in groups))
    try:
        proposed = with_immutable_form(condition, repositories)
    except TwoIds:
        return None, TWO_IDS
    subs = [pair for group in groups.values() for pair in group.subs.items()]
    if proposed is None or not all(
        condition.holds({"sub": sub}, policy.effect)
        == proposed.holds({"sub": sub}, policy.effect)
        == proposed.holds({"sub": then}, policy.effect)
        for sub, then in subs
    ):
        return None, NO_FORM
    return f"sub: {yaml(written(proposed.matcher))}", ""


def _breaking(groups: Mapping[_Key, _Group]) -> Iterator[Breaking]:
    kinds = {kind: place for place, kind in enumerate(_TOLD)}
    largest_first = sorted(
        groups.items(), key=lambda each: (kinds[each[0].kind], -each[1].runs.runs)
    )
    for key, group in largest_first:
        runs = group.runs
        yield Breaking(key.kind, key.repository, runs.runs, runs.first or 0.0, runs.last or 0.0)


def _on_sub(policy: Policy, issuer: Issuer) -> Condition | None:
    if issuer.platform is not GITHUB:
        return None
    return next((each for each in policy.conditions if each.claim == "sub"), None)


def _is_classic(condition: Condition) -> bool:
    matcher = condition.matcher
    inner = replace(condition, matcher=matcher.inner) if isinstance(matcher, Not) else condition
    return any(True for _ in classic_items(inner))


def _repository(claims: Claims) -> Repository | None:
    """Read names and ids of a repository; None when they are not all on record."""
    texts = [
        text_of(claims.get(name)) for name in ("repository", "repository_owner_id", "repository_id")
    ]
    name, owner_id, repository_id = (each or "" for each in texts)
    owner, slash, short = name.partition("/")
    if not (slash and owner and short and owner_id.isdecimal() and repository_id.isdecimal()):
        return None
    return Repository(owner, short, owner_id, repository_id)


def _names(sub: str, claims: Claims) -> bool:
    """Tell whether a `sub` names the repository in the classic form, not in one of its own."""
    begins = f"repo:{text_of(claims.get('repository')) or ''}"
    same = fold_ascii(sub[: len(begins)]) == fold_ascii(begins)
    return same and sub[len(begins) :][:1] in ("", ":")
