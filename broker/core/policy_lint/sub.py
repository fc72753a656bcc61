"""Lints about `sub`, whose form the platform and the repository choose (attacks rows 69, 73)."""

import re
from collections.abc import Iterator
from typing import Final

from broker.core.conditions import AnyOf, Condition, Equals, Matcher, Not, Present
from broker.core.platforms import GITHUB
from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import LintedSet, Path

# Of a literal or of a pattern: owner and repository by name, followed by more or by nothing.
_BY_NAME: Final = re.compile(r"\^?(repo:[^/:@]+/[^/:@]+)(:.*)?", re.DOTALL)
_IDS: Final = re.compile(
    r"(repo:[^/:@]+@[0-9]+/[^/:@]+@[0-9]+|(repository_id|repository_owner_id|project_id):[^:]+)"
    r"(:.*)?",
    re.DOTALL,
)
_REPOSITORY: Final = re.compile(
    r"(repo:[^/:]+/[^/:]+|(repository_id|project_id|project_path):[^:]+)(:.*)?", re.DOTALL
)

_ID_IN_SUB: Final = re.compile(r"@[0-9]+(?=[/:]|\Z)")


def sub_form(linted: LintedSet) -> Iterator[Remark]:
    """Find `sub` of GitHub by names, which ends when GitHub writes ids into it.

    That is the form of repositories made, renamed or moved since 2026-07-15. A list that also has
    the form with ids is sound.
    """
    for allow in linted.allows:
        if allow.issuer.platform is not GITHUB:
            continue
        for placed in allow.on("sub"):
            for within in classic_items(placed.condition):
                yield Remark(
                    placed.path + within,
                    "once the repository is renamed or moved, GitHub writes ids into `sub` and"
                    " this matches no more; match claims instead: `repository_id: ID` and"
                    " `ref: refs/heads/main` or `environment: NAME`",
                )


def classic_items(condition: Condition) -> Iterator[Path]:
    """Yield where a `sub` names a repository by names alone, and no item beside it by ids."""
    items = _items(condition)
    with_ids = {named for _, text in items if (named := _ID_IN_SUB.sub("", text)) != text}
    for within, text in items:
        if _BY_NAME.fullmatch(text) and text not in with_ids:
            yield within


def sub_names_ids(condition: Condition) -> bool:
    """Tell whether a `sub` is exact and names its tenant by id."""
    return _all_literals_are(_IDS, condition)


def sub_names_repository(condition: Condition) -> bool:
    """Tell whether a `sub` is exact and names one repository or project."""
    return _all_literals_are(_REPOSITORY, condition)


def _all_literals_are(form: re.Pattern[str], condition: Condition) -> bool:
    literals = condition.literals()
    return literals is not None and all(form.fullmatch(text) for text in literals)


def _items(condition: Condition) -> list[tuple[Path, str]]:
    matcher = condition.matcher
    if isinstance(matcher, AnyOf):
        return [((index,), _text(item)) for index, item in enumerate(matcher.items)]
    return [((), _text(matcher))]


def _text(matcher: Matcher) -> str:
    if isinstance(matcher, Equals):
        return matcher.text
    return "" if isinstance(matcher, AnyOf | Not | Present) else matcher.pattern
