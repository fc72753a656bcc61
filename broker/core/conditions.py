"""Conditions on claims: equality, any-of, glob, regex, not, present (contract §4).

A condition is a value; whether it holds is a pure function of the claims. The two effects differ
only in what absence means: in an allow an absent claim satisfies nothing, in a deny `not` holds
for it, so that silence never widens a permission.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final

from broker.core.claims import Claims, fold_ascii, is_absent, text_of
from broker.core.globs import Pattern, compile_regex, glob_matches

# Ignoring case, RE2 takes the Kelvin sign for a k and the long s for an s. No other one beyond
# ASCII counts as an ASCII letter, so characters that are no letter at all stand in for these two.
_NO_ASCII_LETTER: Final = {0x212A: 0xE000, 0x017F: 0xE001}


class Effect(StrEnum):
    """What a policy does when all its conditions hold."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Equals:
    """The value reads exactly as `text`."""

    text: str


@dataclass(frozen=True, slots=True)
class Glob:
    """The whole value matches a glob (`broker.core.globs`)."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Regex:
    """The whole value matches a pattern of RE2."""

    pattern: str


Single = Equals | Glob | Regex


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The value satisfies one of several matchers."""

    items: tuple[Single, ...]


Positive = Single | AnyOf


@dataclass(frozen=True, slots=True)
class Not:
    """The claim is there and does not satisfy the matcher inside."""

    inner: Positive


@dataclass(frozen=True, slots=True)
class Present:
    """The claim is there, whatever its value."""


Matcher = Positive | Not | Present


@dataclass(frozen=True, slots=True)
class Condition:
    """One test of one claim.

    `claim` is the claim's name, or an RFC 6901 pointer of at least two segments when it begins
    with a slash. `folded` ignores ASCII case, for claims whose platform does.
    """

    claim: str
    matcher: Matcher
    folded: bool = False
    _path: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Split the pointer once, not at every decision."""
        path = tuple(pointer_segments(self.claim)) if self.claim.startswith("/") else ()
        object.__setattr__(self, "_path", path)

    @property
    def is_pointer(self) -> bool:
        """Whether the condition looks inside a nested claim."""
        return bool(self._path)

    @property
    def top_level_claim(self) -> str:
        """The claim of the token that the condition looks at or into."""
        return self._path[0] if self._path else self.claim

    def value_in(self, claims: Claims) -> object:
        """Give what the token has at this condition's place; None when it has nothing."""
        if not self._path:
            return claims.get(self.claim)
        value: object = claims
        for segment in self._path:
            value = value.get(segment) if isinstance(value, dict) else None
        return value

    def holds(self, claims: Claims, effect: Effect = Effect.ALLOW) -> bool:
        """Tell whether the claims satisfy this condition."""
        value = self.value_in(claims)
        matcher = self.matcher
        # Nearly all conditions are that a text is another text.
        if type(matcher) is Equals and type(value) is str:
            return value != "" and _equals(matcher, value, folded=self.folded)
        if isinstance(matcher, Present):
            return _is_there(value, effect)
        if isinstance(matcher, Not):
            return self._holds_not(matcher.inner, value, effect)
        matches = _MATCHING[self.folded, effect is Effect.DENY]
        if isinstance(value, list):
            return any(matches.any_of(matcher, text_of(element)) for element in value)
        return matches.any_of(matcher, text_of(value))

    def literals(self) -> tuple[str, ...] | None:
        """Give the values that this condition admits when it admits only literals, else None."""
        if isinstance(self.matcher, Equals):
            return (self.matcher.text,)
        if isinstance(self.matcher, AnyOf):
            texts = [item.text for item in self.matcher.items if isinstance(item, Equals)]
            return tuple(texts) if len(texts) == len(self.matcher.items) else None
        return None

    def named_literals(self) -> tuple[str, ...]:
        """Give the values that this condition names literally, beside whatever else it admits."""
        if isinstance(self.matcher, Equals):
            return (self.matcher.text,)
        if isinstance(self.matcher, AnyOf):
            return tuple(item.text for item in self.matcher.items if isinstance(item, Equals))
        return ()

    def _holds_not(self, inner: Positive, value: object, effect: Effect) -> bool:
        matches = _MATCHING[self.folded, effect is Effect.ALLOW]
        if isinstance(value, list) and value:
            texts = [text_of(element) for element in value]
            if effect is Effect.ALLOW and None in texts:
                return False
            return not any(matches.any_of(inner, text) for text in texts)
        text = text_of(value)
        if text is None:
            return effect is Effect.DENY
        return not matches.any_of(inner, text)


def pointer_segments(claim: str) -> Iterator[str]:
    """Yield the segments of an RFC 6901 pointer; nothing for a plain claim name."""
    if claim.startswith("/"):
        for segment in claim[1:].split("/"):
            yield segment.replace("~1", "/").replace("~0", "~")


def all_hold(conditions: Sequence[Condition], claims: Claims, effect: Effect) -> bool:
    """Tell whether every condition holds."""
    for condition in conditions:  # noqa: SIM110 - a generator would take half as long again
        if not condition.holds(claims, effect):
            return False
    return True


def pinned_claims(conditions: Iterable[Condition]) -> frozenset[str]:
    """Name the claims that may only have values that are written out."""
    return frozenset(
        condition.claim
        for condition in conditions
        if not condition.is_pointer and condition.literals() is not None
    )


def _is_there(value: object, effect: Effect) -> bool:
    if effect is Effect.DENY:
        return not is_absent(value)
    if isinstance(value, list):
        return any(text_of(element) is not None for element in value)
    return text_of(value) is not None


@lru_cache(maxsize=65_536)
def _compiled_regex(pattern: str, *, fold: bool, dot_all: bool) -> Pattern:
    return compile_regex(pattern, fold=fold, dot_all=dot_all)


@dataclass(frozen=True, slots=True)
class _Matching:
    """How a value is matched: `refusing` where a match refuses, in a deny or a `not` of an allow.

    There a dot of a pattern means every character: a line end in a name that its author chose must
    not lead past what is refused (attacks row 65).
    """

    folded: bool
    refusing: bool

    def any_of(self, matcher: Positive, text: str | None) -> bool:
        """Tell whether a text satisfies a matcher; None satisfies none."""
        if text is None:
            return False
        if isinstance(matcher, AnyOf):
            return any(self._single(item, text) for item in matcher.items)
        return self._single(matcher, text)

    def _single(self, matcher: Single, text: str) -> bool:
        if isinstance(matcher, Equals):
            return _equals(matcher, text, folded=self.folded)
        if isinstance(matcher, Regex):
            pattern = matcher.pattern
            if self.folded:
                pattern, text = (each.translate(_NO_ASCII_LETTER) for each in (pattern, text))
            compiled = _compiled_regex(pattern, fold=self.folded, dot_all=self.refusing)
            return compiled.fullmatch(text) is not None
        if self.folded:
            return glob_matches(fold_ascii(matcher.pattern), fold_ascii(text))
        return glob_matches(matcher.pattern, text)


_MATCHING: Final = {
    (folded, refusing): _Matching(folded, refusing)
    for folded in (False, True)
    for refusing in (False, True)
}


def _equals(matcher: Equals, text: str, *, folded: bool) -> bool:
    same = matcher.text == text
    return same or (folded and fold_ascii(matcher.text) == fold_ascii(text))
