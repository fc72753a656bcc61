"""How many refs a condition leaves open: those it names, those of a form, or whatever is pushed."""

import re
from enum import IntEnum
from functools import lru_cache
from typing import Final

from broker.core.conditions import AnyOf, Condition, Equals, Glob, Matcher, Regex
from broker.core.globs import literal_prefix
from broker.core.platforms import GITHUB
from broker.core.policy_lint.linted_set import AllowPolicy, Path, PlacedCondition

# Names that nobody gives on purpose: a pattern that takes one takes whatever somebody pushes.
_CHANCE_NAMES: Final = ("zq", "zq7", "Zq-7_q.q", "zq/zq7", "zq/zq/zq7")
_CHANCE_REFS: Final = (
    *(f"refs/{kind}/{name}" for kind in ("heads", "tags") for name in _CHANCE_NAMES),
    "refs/pull/7357/merge",
)
_LITERAL_REGEX_REF: Final = re.compile(r"(?:[\w/@-]|\\.)+\$?")

REF_CLAIMS: Final = {"github": ("ref",), "gitlab": ("ref_path", "ref")}
"""By preset, the claims that hold the ref: the whole one first, then its short name."""

WORKFLOW_CLAIMS: Final = ("job_workflow_ref", "workflow_ref", "ci_config_ref_uri")
"""Claims that name a workflow file and, after `@`, the ref that it is taken from."""

_COMMIT_CLAIMS: Final = ("sha", "workflow_sha", "job_workflow_sha", "ci_config_sha")

# GitHub runs these on the default branch alone (GitLab's schedules take any branch).
_DEFAULT_BRANCH_EVENTS: Final = frozenset({"schedule", "repository_dispatch"})


class Openness(IntEnum):
    """How much a condition on a ref leaves open; more is worse."""

    NAMED = 0
    FORM = 1
    """A fixed part and a wildcard, `refs/heads/release/*`: whoever may push can fit it."""

    ANY = 2
    """Every branch or every tag."""

    ALL = 3
    """Every ref there is: the condition says nothing."""


def narrowest_ref(allow: AllowPolicy) -> tuple[Openness, PlacedCondition, Path] | None:
    """Judge the condition on the ref that leaves least open, None when there is none.

    The path is that of the condition, of the widest item when it is a list (attacks row 74).
    """
    platform = allow.issuer.platform
    claims = REF_CLAIMS[platform.name] if platform else ()
    judged = [
        (*_widest(placed.condition, short=claims[0] != placed.condition.claim), placed)
        for placed in allow.on(*claims)
    ]
    if not judged:
        return None
    found, within, placed = min(judged, key=lambda each: each[0])
    return found, placed, placed.path + within


def names_its_code(allow: AllowPolicy) -> bool:
    """Tell whether something beside `ref` says which code may run.

    A protected ref, a commit, a workflow file at a ref, a `sub` with a ref, or an event that runs
    on the default branch alone.
    """
    if allow.demands_true("ref_protected") or allow.pins(*_COMMIT_CLAIMS):
        return True
    if any(not unpinned_workflows(each.condition) for each in allow.on(*WORKFLOW_CLAIMS)):
        return True
    if _every_sub_has(allow, ":ref:"):
        return True
    events = allow.events or frozenset()
    return allow.issuer.platform is GITHUB and bool(events) and events <= _DEFAULT_BRANCH_EVENTS


def names_environment(allow: AllowPolicy) -> bool:
    """Tell whether the policy confines jobs to environments that it names."""
    return allow.pins("environment", "environment_node_id") or _every_sub_has(
        allow, ":environment:"
    )


def unpinned_workflows(condition: Condition) -> list[tuple[Path, Matcher]]:
    """Give what leaves the ref of a workflow file open, with its path within the condition."""
    matcher = condition.matcher
    items: list[tuple[Path, Matcher]] = [((), matcher)]
    if isinstance(matcher, AnyOf):
        items = [((index,), item) for index, item in enumerate(matcher.items)]
    return [(within, item) for within, item in items if not _pins_workflow_ref(item)]


def _widest(condition: Condition, *, short: bool) -> tuple[Openness, Path]:
    matcher = condition.matcher
    if not isinstance(matcher, AnyOf):
        return _openness(matcher, short=short), ()
    judged = [(_openness(item, short=short), index) for index, item in enumerate(matcher.items)]
    found, index = max(judged, key=lambda each: each[0])
    return found, (index,)


@lru_cache(maxsize=4096)
def _openness(matcher: Matcher, *, short: bool) -> Openness:
    if isinstance(matcher, Equals):
        return Openness.NAMED
    condition = Condition("ref", matcher)
    refs = _CHANCE_NAMES if short else _CHANCE_REFS
    taken = [ref for ref in refs if condition.holds({"ref": ref})]
    if len(taken) == len(refs):
        return Openness.ALL
    return Openness.ANY if taken else Openness.FORM


def _pins_workflow_ref(matcher: Matcher) -> bool:
    if isinstance(matcher, Equals):
        _, at, ref = matcher.text.rpartition("@")
        return bool(at and ref)
    if isinstance(matcher, Glob):
        _, at, ref = matcher.pattern.rpartition("@")
        return bool(at and ref) and literal_prefix(ref) == ref
    if isinstance(matcher, Regex):
        _, at, ref = matcher.pattern.rpartition("@")
        return bool(at) and _LITERAL_REGEX_REF.fullmatch(ref) is not None
    return False


def _every_sub_has(allow: AllowPolicy, part: str) -> bool:
    return any(
        all(part in text for text in placed.condition.literals() or ("",))
        for placed in allow.on("sub")
    )
