"""Lints about which refs a policy trusts (attacks rows 62, 74, 99, 104)."""

from collections.abc import Iterator
from typing import Final

from broker.core.conditions import AnyOf, Condition, Equals, Glob, Matcher
from broker.core.globs import literal_prefix
from broker.core.platforms import GITHUB, GITLAB
from broker.core.policy_lint.environments import environment_protects
from broker.core.policy_lint.glob_relations import example_of, globs_meet
from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import AllowPolicy, LintedSet, Path
from broker.core.policy_lint.ref_openness import (
    REF_CLAIMS,
    Openness,
    names_its_code,
    narrowest_ref,
)
from broker.core.policy_lint.scopes import changing_scope

_MERGE_REQUESTS: Final = frozenset({"merge_request_event", "external_pull_request_event"})


def ref_not_pinned(linted: LintedSet) -> Iterator[Remark]:
    """Find policies that grant changes to jobs of any ref."""
    for allow in linted.allows:
        scope = changing_scope(allow.grants, linted.policy_set)
        if allow.issuer.platform is None or scope is None or narrowest_ref(allow):
            continue
        if not names_its_code(allow) and not environment_protects(allow):
            yield Remark(
                allow.match_path,
                f"any branch that someone can push to matches, and this grants `{scope}`;"
                f" {_advice(allow)}",
                at_key=True,
            )


def any_ref(linted: LintedSet) -> Iterator[Remark]:
    """Find conditions on the ref that every branch or tag satisfies."""
    for allow in linted.allows:
        found = narrowest_ref(allow)
        if found is None or found[0] < Openness.ANY:
            continue
        openness, _, path = found
        if openness is Openness.ALL:
            yield Remark(
                path, f"every ref matches, so that this condition says nothing; {_advice(allow)}"
            )
        elif _is_open_to_changes(allow, linted) and not environment_protects(allow):
            yield Remark(path, f"any branch that someone can push to matches; {_advice(allow)}")


def ref_pattern(linted: LintedSet) -> Iterator[Remark]:
    """Find patterns of refs that whoever may push can fit with a branch of their own."""
    for allow in linted.allows:
        found = narrowest_ref(allow)
        if found is None or found[0] is not Openness.FORM:
            continue
        _, placed, path = found
        if _is_open_to_changes(allow, linted) and not environment_protects(allow):
            item = _item_at(placed.condition, path[len(placed.path) :])
            example = f", as `{example_of(item.pattern)}`" if isinstance(item, Glob) else ""
            yield Remark(
                path,
                f"whoever may push can make a ref that matches{example}; {_advice(allow)},"
                " or protect these refs on the platform",
            )


def ref_not_protected(linted: LintedSet) -> Iterator[Remark]:
    """Find GitLab policies that hold on refs which nobody protects."""
    for allow in linted.allows:
        if allow.issuer.platform is not GITLAB or allow.demands_true("ref_protected"):
            continue
        if allow.events and allow.events <= _MERGE_REQUESTS:
            continue
        ref = next(allow.on(*REF_CLAIMS["gitlab"]), None)
        yield Remark(
            ref.path if ref else allow.match_path,
            "whoever may push to an unprotected branch or tag of this name gets in;"
            " add `ref_protected: true`",
            at_key=True,
        )


def ref_form(linted: LintedSet) -> Iterator[Remark]:
    """Find refs that are not written as the platform writes them."""
    for allow in linted.allows:
        for placed in allow.on("ref"):
            for index, item in _items(placed.condition):
                fault = _form_fault(item, allow)
                if fault is not None:
                    yield Remark(placed.path + index, fault)


def _is_open_to_changes(allow: AllowPolicy, linted: LintedSet) -> bool:
    changes = changing_scope(allow.grants, linted.policy_set) is not None
    return changes and not names_its_code(allow)


def _advice(allow: AllowPolicy) -> str:
    if allow.issuer.platform is GITLAB:
        return "name the branch, `ref_path: refs/heads/main`, and add `ref_protected: true`"
    return "name the branch, `ref: refs/heads/main`, or add `environment: NAME`"


def _items(condition: Condition) -> Iterator[tuple[Path, Matcher]]:
    if isinstance(condition.matcher, AnyOf):
        yield from (((index,), item) for index, item in enumerate(condition.matcher.items))
    else:
        yield (), condition.matcher


def _item_at(condition: Condition, within: Path) -> Matcher:
    return next(item for index, item in _items(condition) if index == within)


def _form_fault(item: Matcher, allow: AllowPolicy) -> str | None:
    text = item.text if isinstance(item, Equals) else getattr(item, "pattern", "")
    if allow.issuer.platform is GITHUB and isinstance(item, Equals | Glob):
        if globs_meet(text, "refs/**") is not False:
            return None
        return (
            "GitHub's `ref` is the whole name of a branch or tag, so that this matches nothing;"
            f" write `ref: refs/heads/{text}`"
        )
    if allow.issuer.platform is not GITLAB or not isinstance(item, Equals | Glob):
        return None
    if text.startswith("refs/"):
        return (
            "GitLab's `ref` is the short name: only a branch or tag that is itself called"
            f" `{text}` matches; write `ref_path: {text}`"
        )
    if not literal_prefix(text) or allow.pins("ref_type", "ref_path"):
        return None
    return f"a tag may be called `{text}`, too; write `ref_path: refs/heads/{text}`"
