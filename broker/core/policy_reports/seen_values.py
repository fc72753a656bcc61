"""The values that the jobs of one policy had of one claim, within bounds that no traffic moves.

One pull request is as good as another: the refs of all count as one value, a glob.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from broker.core.claims import Claims, fold_ascii, is_absent, text_of
from broker.core.conditions import AnyOf, Condition, Equals, Glob, Not, Regex, Single
from broker.core.policy_lint.glob_relations import glob_covers
from broker.core.policy_reports.watched import Watched

MAX_VALUES: Final = 100
"""How many values of one claim are told apart for one policy."""

MAX_LENGTH: Final = 300
"""Of longer values nothing is proposed, so that no line is longer than people read."""

_PULL_REQUEST: Final = re.compile(r"refs/pull/[0-9]+/(merge|head)")
_PULL_REQUESTS: Final = ("refs/pull/*/merge", "refs/pull/*/head")


@dataclass(slots=True)
class SeenValues:
    """How often each value was seen; `counts` has the first ones as they were written."""

    watched: Watched
    counts: dict[str, int] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    more: int = 0
    """Runs with values beyond the bound."""

    absent: int = 0
    """Runs that surely had no such claim."""

    unknown: int = 0
    """Runs of which it is not on record whether they had it."""

    no_text: int = 0
    """Runs with a list, an object or a float there."""

    unmatched: list[Single] = field(default_factory=list)
    """The items of a list in the policy that no value satisfied so far."""

    _written: dict[str, str] = field(default_factory=dict)
    _groups: set[str] = field(default_factory=set)
    """The globs that count for many values."""

    _groupable: frozenset[str] = frozenset()

    @classmethod
    def of(cls, watched: Watched) -> "SeenValues":
        """Begin to count."""
        matcher = watched.condition.matcher if watched.condition else None
        items = list(matcher.items) if isinstance(matcher, AnyOf) else []
        return cls(watched, unmatched=items, _groupable=_groupable(watched))

    def add(self, claims: Claims, *, known: bool) -> None:
        """Count one run; `known` tells whether an absent claim surely was absent."""
        watched = self.watched
        condition = watched.condition
        value = claims.get(watched.claim) if condition is None else condition.value_in(claims)
        text = value if type(value) is str else text_of(value)
        if text:
            self._add_text(text, claims)
        elif not is_absent(value):
            self.no_text += 1
            for element in value if isinstance(value, list) else ():
                self._match(text_of(element))
        elif known:
            self.absent += 1
        else:
            self.unknown += 1

    def is_complete(self) -> bool:
        """Tell whether `counts` holds the value of every run."""
        return not (self.more or self.absent or self.unknown or self.no_text)

    def first_written(self, key: str) -> str:
        """Give a value as it was written when it was first seen."""
        return self._written.get(key, key)

    def item(self, key: str) -> Single:
        """Give what takes a counted value: itself, or whatever was counted as one."""
        return Glob(key) if key in self._groups else Equals(self.first_written(key))

    def _add_text(self, text: str, claims: Claims) -> None:
        key = self._key(text)
        counts = self.counts
        if key in counts:
            counts[key] += 1
            if key in self._groups:
                # What takes one of a group need not take another.
                self._match(text)
            return
        self._match(text)
        if len(counts) >= MAX_VALUES or len(text) > MAX_LENGTH:
            self.more += 1
            return
        counts[key] = 1
        if self.watched.folded:
            self._written[key] = text
        if self.watched.label is not None:
            self.labels[key] = text_of(claims.get(self.watched.label)) or ""

    def _key(self, text: str) -> str:
        found = _PULL_REQUEST.fullmatch(text) if self._groupable else None
        group = f"refs/pull/*/{found[1]}" if found else None
        if group in self._groupable:
            self._groups.add(group)
            return group
        return fold_ascii(text) if self.watched.folded else text

    def _match(self, text: str | None) -> None:
        if self.unmatched and text is not None:
            self.unmatched = [each for each in self.unmatched if not self._takes(each, text)]

    def _takes(self, item: Single, text: str) -> bool:
        return Condition("claim", item, self.watched.folded).holds({"claim": text})


def _groupable(watched: Watched) -> frozenset[str]:
    """Choose the globs that may count for many refs: the policy has to take all that one takes.

    Items of a list stay what they are in any case.
    """
    matcher = watched.condition.matcher if watched.condition else None
    if watched.claim != "ref" or isinstance(matcher, Regex | Not):
        return frozenset()
    if isinstance(matcher, Glob):
        return frozenset(each for each in _PULL_REQUESTS if glob_covers(matcher.pattern, each))
    return frozenset(_PULL_REQUESTS)
