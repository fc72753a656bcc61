"""Hints for a policy's conditions other than those on the tenant, with the line to write."""

import re
from functools import partial
from typing import Final

from broker.core.condition_text import with_item, written, yaml, yaml_line
from broker.core.conditions import Equals, Glob, Not, Regex, Single
from broker.core.globs import PatternRefused
from broker.core.hints.job_hints import JOB_HINTS
from broker.core.hints.miss import Hint, Miss
from broker.core.hints.sub_hints import other_sub
from broker.core.hints.tenant_hints import excluded

# Events that people without a say in the repository can cause (attacks rows 89, 91, 156-158).
_OUTSIDERS: Final = frozenset({
    "discussion", "discussion_comment", "external_pull_request_event", "fork", "issue_comment",
    "issues", "merge_request_event", "pull_request", "pull_request_review",
    "pull_request_review_comment", "pull_request_target", "watch", "workflow_run",
})  # fmt: skip

_WORKFLOW_TWINS: Final = {"job_workflow_ref": "workflow_ref", "workflow_ref": "job_workflow_ref"}


def unnamed_event(miss: Miss) -> str | None:
    """The guard, or the policy's own condition on what started the pipeline."""
    platform = miss.case.issuer.platform
    if platform is None or miss.claim != platform.event_claim or isinstance(miss.matcher, Not):
        return None
    if miss.text is None:
        return f"the token does not say what started the pipeline: it has no `{miss.claim}`"
    own = next((each.matcher for each in miss.own if each.claim == miss.claim), None)
    value = miss.text if own is None else with_item(own, miss.text)
    caution = ", which outsiders can cause" if miss.text in _OUTSIDERS else ""
    return (
        f"the event is {miss.shown}{caution}: name it in `{miss.claim}` of policy {miss.policy} if"
        f" you mean it: {yaml_line(miss.claim, value)}"
    )


def pull_request_ref(miss: Miss) -> str | None:
    """GitHub: `ref` of a pull request is a merge that exists only for its checks."""
    if miss.claim != "ref" or miss.text is None or not miss.text.startswith("refs/pull/"):
        return None
    return (
        f"`ref` is {miss.shown}: the job runs for a pull request, on code that is not merged yet;"
        f" let it run on push"
    )


def full_ref(miss: Miss) -> str | None:
    """GitHub's `ref` is the full name, GitLab's the short one."""
    if miss.claim != "ref" or miss.text is None:
        return None
    for prefix in ("refs/heads/", "refs/tags/"):
        short = miss.text.removeprefix(prefix)
        if short != miss.text and miss.would_hold(short):
            line = yaml_line("ref", written(miss.rewritten(partial(_prefixed, prefix=prefix))))
            return f"`ref` is the full name here, {miss.shown}: write {line}"
    if miss.would_hold(miss.text_in("ref_path")):
        line = yaml_line("ref_path", written(miss.matcher))
        return f"`ref` is the short name here, {miss.shown}: match {line} instead"
    return None


def _prefixed(item: Single, prefix: str) -> Single:
    if isinstance(item, Equals):
        return item if item.text.startswith("refs/") else Equals(prefix + item.text)
    if isinstance(item, Glob):
        return item if item.pattern.startswith("refs/") else Glob(prefix + item.pattern)
    return item


def other_workflow(miss: Miss) -> str | None:
    """GitHub: the file that the job runs and the file that called it are two claims."""
    twin = _WORKFLOW_TWINS.get(miss.claim)
    if twin is None or not miss.would_hold(miss.text_in(twin)):
        return None
    line = yaml_line(twin, written(miss.matcher))
    return (
        f"`job_workflow_ref` is the file that the job runs, `workflow_ref` the one that called it;"
        f" what the policy expects is in the other one: match {line} instead"
    )


def letter_case(miss: Miss) -> str | None:
    """The value differs in upper and lower case alone."""
    if miss.text is None or not miss.would_hold(miss.text, folded=True):
        return None
    value = miss.text if miss.is_equality() else with_item(miss.matcher, miss.text)
    return (
        f"upper and lower case differ: `{miss.claim}` is {miss.shown}, policy {miss.policy} has"
        f" {yaml(written(miss.matcher))}: write {yaml_line(miss.claim, value)}"
    )


def literal_star(miss: Miss) -> str | None:
    """A star outside a glob stands for itself."""
    wider = miss.rewritten(_with_globs)
    if miss.text is None or not miss.would_hold(miss.text, wider):
        return None
    return (
        f"a star is a wildcard in a glob alone, and `{miss.claim}` is {miss.shown}: write"
        f" {yaml_line(miss.claim, written(wider))}"
    )


def _with_globs(item: Single) -> Single:
    return Glob(item.text) if isinstance(item, Equals) and "*" in item.text else item


def star_stops(miss: Miss) -> str | None:
    """A single star stops at separators."""
    wider = miss.rewritten(_with_double_stars)
    if miss.text is None or not miss.would_hold(miss.text, wider):
        return None
    return (
        f"`*` stops at `/`, `:` and `@`, and `{miss.claim}` is {miss.shown}; `**` does not stop:"
        f" {yaml_line(miss.claim, written(wider))}"
    )


def _with_double_stars(item: Single) -> Single:
    return Glob(re.sub(r"\*+", "**", item.pattern)) if isinstance(item, Glob) else item


def part_of_regex(miss: Miss) -> str | None:
    """A regex covers the whole value."""
    wider = miss.rewritten(_anywhere)
    try:
        if miss.text is None or not miss.would_hold(miss.text, wider):
            return None
    except PatternRefused:
        # The pattern alone fits into RE2's memory, with more around it no longer.
        return None
    return (
        f"a regex must match the whole value, and `{miss.claim}` is {miss.shown}: make"
        f" {yaml(written(miss.matcher))} cover all of it"
    )


def _anywhere(item: Single) -> Single:
    return Regex(f"(?s:.*)(?:{item.pattern})(?s:.*)") if isinstance(item, Regex) else item


def missing_value(miss: Miss) -> str | None:
    """The policy does not have the value yet."""
    if miss.text is None:
        return f"no element of `{miss.claim}` {miss.shown} is one that policy {miss.policy} names"
    line = yaml_line(miss.claim, with_item(miss.matcher, miss.text))
    return f"add {miss.shown} to `{miss.claim}` of policy {miss.policy}: {line}"


POLICY_HINTS: Final[tuple[Hint, ...]] = (
    unnamed_event,
    other_sub,
    *JOB_HINTS,
    excluded,
    pull_request_ref,
    full_ref,
    other_workflow,
    letter_case,
    literal_star,
    star_stops,
    part_of_regex,
    missing_value,
)
