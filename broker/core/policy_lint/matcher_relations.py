"""What two conditions on one claim say about each other: can both hold, does one imply the other.

Only what is certain: a pattern of RE2 is compared by its text, and with single values.
"""

from collections.abc import Iterable
from typing import Final

from broker.core.claims import fold_ascii
from broker.core.conditions import (
    AnyOf,
    Condition,
    Equals,
    Glob,
    Matcher,
    Not,
    Positive,
    Present,
    Regex,
    Single,
)
from broker.core.policy_lint.glob_relations import (
    example_of,
    glob_covers,
    globs_meet,
    has_wildcard,
)

# A value that no pattern is written for.
_CHANCE_VALUE: Final = "zq-7357"


def can_both_hold(one: Condition, other: Condition) -> bool | None:
    """Tell whether one value can satisfy two conditions on a claim; None when that is unclear."""
    ours, theirs = one.matcher, other.matcher
    # Most pairs by far are of these kinds.
    if ours is theirs:
        return True
    if not one.folded and isinstance(ours, Equals) and isinstance(theirs, Equals):
        return ours.text == theirs.text
    if not one.folded and isinstance(ours, Glob) and isinstance(theirs, Glob):
        return globs_meet(ours.pattern, theirs.pattern)
    return _meet(ours, theirs, folded=one.folded)


def implies(premise: Condition, conclusion: Condition) -> bool:
    """Tell whether every token that satisfies the premise surely satisfies the conclusion.

    Both are on the same claim; the premise stands in an allow policy, the conclusion in any.
    """
    have, want = premise.matcher, conclusion.matcher
    if have == want:
        return True
    if isinstance(want, Present):
        return True
    if isinstance(have, Present):
        return False
    if isinstance(have, Not):
        return isinstance(want, Not) and _covers(have.inner, want.inner, folded=premise.folded)
    if not premise.folded and isinstance(have, Glob) and isinstance(want, Glob):
        return glob_covers(want.pattern, have.pattern)
    # A list may hold a value that is meant and one that is not: that says nothing about `not`.
    return not isinstance(want, Not) and _covers(want, have, folded=premise.folded)


def _meet(one: Matcher, other: Matcher, *, folded: bool) -> bool | None:
    if isinstance(one, Not | Present):
        return _meets_exception(one, other, folded=folded)
    if isinstance(other, Not | Present):
        return _meets_exception(other, one, folded=folded)
    return _any_of(
        _singles_meet(item, against, folded=folded)
        for item in _items(one, folded=folded)
        for against in _items(other, folded=folded)
    )


def _meets_exception(one: Not | Present, other: Matcher, *, folded: bool) -> bool | None:
    """Tell whether a value that `one` does not except can satisfy the other."""
    if isinstance(other, Not | Present):
        return (
            not (
                _is_excepted(_CHANCE_VALUE, one, folded=folded)
                or _is_excepted(_CHANCE_VALUE, other, folded=folded)
            )
            or None
        )
    if isinstance(one, Present):
        return True
    return _any_of(
        _reaches_beyond(item, one.inner, folded=folded) for item in _items(other, folded=folded)
    )


def _reaches_beyond(item: Single, excepted: Positive, *, folded: bool) -> bool | None:
    """Tell whether an item takes a value that is not excepted."""
    if _covers(excepted, item, folded=folded):
        return False
    if isinstance(item, Equals):
        return True
    if isinstance(item, Glob) and not _takes(excepted, example_of(item.pattern), folded=folded):
        return True
    return None


def _is_excepted(value: str, matcher: Not | Present, *, folded: bool) -> bool:
    return isinstance(matcher, Not) and _takes(matcher.inner, value, folded=folded)


def _singles_meet(one: Single, other: Single, *, folded: bool) -> bool | None:
    if isinstance(one, Equals):
        return _takes(other, one.text, folded=folded)
    if isinstance(other, Equals):
        return _takes(one, other.text, folded=folded)
    if isinstance(one, Glob) and isinstance(other, Glob):
        return globs_meet(one.pattern, other.pattern)
    return True if one == other else None


def _covers(outer: Positive, inner: Positive, *, folded: bool) -> bool:
    """Tell whether every value that satisfies the inner matcher surely satisfies the outer one."""
    return all(
        any(_single_covers(wide, narrow, folded=folded) for wide in _items(outer, folded=folded))
        for narrow in _items(inner, folded=folded)
    )


def _single_covers(outer: Single, inner: Single, *, folded: bool) -> bool:
    if isinstance(inner, Equals):
        return _takes(outer, inner.text, folded=folded)
    if isinstance(inner, Glob) and isinstance(outer, Glob):
        return glob_covers(outer.pattern, inner.pattern)
    return outer in (inner, Glob("**"))


def _takes(matcher: Positive, text: str, *, folded: bool) -> bool:
    return Condition("claim", matcher, folded).holds({"claim": text})


def _items(matcher: Positive, *, folded: bool) -> Iterable[Single]:
    """Give the single matchers in a form that can be compared.

    Literals and globs in lower case where the claim ignores case, a glob without wildcard as the
    literal that it is.
    """
    for item in matcher.items if isinstance(matcher, AnyOf) else (matcher,):
        if isinstance(item, Regex):
            yield item
            continue
        text = item.text if isinstance(item, Equals) else item.pattern
        is_glob = isinstance(item, Glob) and has_wildcard(text)
        plain = fold_ascii(text) if folded else text
        yield Glob(plain) if is_glob else Equals(plain)


def _any_of(verdicts: Iterable[bool | None]) -> bool | None:
    """Give True if one is, else None if one is unclear, else False."""
    unclear = False
    for verdict in verdicts:
        if verdict:
            return True
        unclear = unclear or verdict is None
    return None if unclear else False
