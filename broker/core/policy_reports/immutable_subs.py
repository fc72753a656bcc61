"""A condition on GitHub's classic `sub`, made to take the immutable form of known repositories too.

`repo:acme/web:ref:refs/heads/main` becomes that and `repo:acme@1/web@2:ref:refs/heads/main`; in a
glob, `repo:acme/*:…` becomes `repo:acme@1/*@*:…`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from broker.core.claims import fold_ascii
from broker.core.conditions import AnyOf, Condition, Equals, Glob, Not, Positive, Present, Single
from broker.core.policy_lint.glob_relations import has_wildcard
from broker.core.record import record

_CLASSIC: Final = re.compile(r"repo:([^/:@]+)/([^/:@]+)(:.*)?", re.DOTALL)


@record
class Repository:
    """A repository by its names and its ids, as one token had them."""

    owner: str
    name: str
    owner_id: str
    repository_id: str


class TwoIds(ValueError):
    """A name stands for two ids: which is meant, nobody but the author of the policy can say."""


def with_immutable_form(
    condition: Condition, repositories: Sequence[Repository]
) -> Condition | None:
    """Add to a condition on `sub` what these repositories will send; None when it names none.

    Raises `TwoIds`.
    """
    matcher = condition.matcher
    if isinstance(matcher, Present):
        return None
    inner = matcher.inner if isinstance(matcher, Not) else matcher
    items = inner.items if isinstance(inner, AnyOf) else (inner,)
    added = [each for item in items for each in _counterparts(item, repositories)]
    new = [each for each in dict.fromkeys(added) if each not in items]
    if not new:
        return None
    wider: Positive = AnyOf((*items, *new))
    return replace(condition, matcher=Not(wider) if isinstance(matcher, Not) else wider)


def _counterparts(item: Single, repositories: Iterable[Repository]) -> Iterator[Single]:
    """Yield the same with ids."""
    if not isinstance(item, Equals | Glob):
        return
    text = item.text if isinstance(item, Equals) else item.pattern
    parts = _CLASSIC.fullmatch(text)
    if parts is None:
        return
    owner, name, context = parts[1], parts[2], parts[3] or ""
    is_glob = isinstance(item, Glob)
    meant = [each for each in repositories if _is_meant(owner, name, each, is_glob=is_glob)]
    if not meant:
        return
    if is_glob and has_wildcard(owner):
        owner_now = f"{owner}@*"
    else:
        owner_now = f"{owner}@{_only(each.owner_id for each in meant)}"
    if is_glob and has_wildcard(name):
        # Two stars take whatever follows; one ends before the sign.
        name_now = name if name.endswith("**") and not context else f"{name}@*"
    else:
        name_now = f"{name}@{_only(each.repository_id for each in meant)}"
    text = f"repo:{owner_now}/{name_now}{context}"
    yield Glob(text) if is_glob else Equals(text)


def _is_meant(owner: str, name: str, repository: Repository, *, is_glob: bool) -> bool:
    def fits(written: str, text: str) -> bool:
        if is_glob and has_wildcard(written):
            return Condition("name", Glob(written)).holds({"name": text})
        return fold_ascii(written) == fold_ascii(text)

    return fits(owner, repository.owner) and fits(name, repository.name)


def _only(ids: Iterable[str]) -> str:
    found = set(ids)
    if len(found) > 1:
        raise TwoIds
    return found.pop()
