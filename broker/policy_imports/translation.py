"""A peer's policy on its way to ours: what carries over, what does not, and what is to be said.

Nothing is translated that would admit more than its source: a condition that cannot be said exactly
is a `Problem`, and then there is no policy at all (contract §2, `policies import`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from broker.core.claims import is_printable_ascii
from broker.core.conditions import (
    AnyOf,
    Condition,
    Equals,
    Matcher,
    Not,
    Positive,
    Present,
    Regex,
    Single,
)
from broker.core.errors import Problem
from broker.core.globs import compile_regex
from broker.core.platforms import GITHUB, Platform
from broker.core.policy import Issuer
from broker.core.tenant_floor import pins_tenant
from broker.policy_imports.claim_facts import FACTS, ClaimFacts
from broker.policy_imports.implied_tenant import Start, implied_tenants
from broker.policy_imports.kept_case import names_one, with_case
from broker.yaml_document import Document, Path

MAX_TEXT: Final = 1000
MAX_COMPARED: Final = 10_000
"""How many pairs of a literal and a pattern are tried where two conditions are made one."""


@dataclass(frozen=True, slots=True)
class TranslatedPolicy:
    """One policy: its conditions, with what its file says of each beside it."""

    conditions: tuple[Condition, ...]
    remarks: Mapping[str, Sequence[str]]
    """What to say of a condition, by claim."""

    samples: Mapping[str, str]
    """A value that the condition admits, by claim, where one is known."""

    notes: tuple[str, ...] = ()
    """What to say of the policy."""

    ttl: int | None = None
    max_ttl: int | None = None
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Translation:
    """All that a file says, or why it cannot be said."""

    platform: Platform
    issuer: str
    """The URL of the issuer."""

    policies: tuple[TranslatedPolicy, ...]
    rights: tuple[str, ...]
    """What the source allows, which is for the operator to say anew."""

    name: str | None = None
    """What the source calls itself."""


class Draft:
    """A policy in the making; what does not carry over goes to `problems`."""

    def __init__(self, document: Document, platform: Platform, problems: list[Problem]) -> None:
        self._document = document
        self._platform = platform
        self._facts: ClaimFacts = FACTS[platform.name]
        self._problems = problems
        self._conditions: dict[str, Condition] = {}
        self._remarks: dict[str, list[str]] = {}
        self._starts: dict[str, Sequence[Start]] = {}
        self._samples: dict[str, str] = {}
        self.notes: list[str] = []
        self.ttl: int | None = None
        self.max_ttl: int | None = None

    def fault(self, path: Path, message: str) -> None:
        """Report what does not carry over."""
        self._problems.append(self._document.problem(path, message))

    def place(self, path: Path) -> str:
        """Name where the source says something: `FILE:LINE`."""
        return f"{self._document.file}:{self._document.place(path)[0]}"

    def is_always_there(self, claim: str) -> bool:
        """Tell whether no token of the platform is without a claim."""
        return claim in self._facts.always

    def is_folded(self, claim: str) -> bool:
        """Tell whether the broker ignores the ASCII case of a claim."""
        return claim in self._platform.folded

    def requires(self, claim: str) -> bool:
        """Tell whether there is a condition on a claim."""
        return claim in self._conditions

    def require(
        self,
        path: Path,
        claim: str,
        matcher: Matcher,
        said: str,
        *,
        starts: Sequence[Start] = (),
        sample: str | None = None,
    ) -> None:
        """Add a condition; `said` is how the source puts it.

        `starts` are what the values that it admits begin with, `sample` one of them.
        """
        message = self._fault_of(claim, matcher)
        folded = self.is_folded(claim)
        matcher = with_case(matcher) if folded else matcher
        condition = Condition(claim, matcher, folded=folded)
        earlier = self._conditions.get(claim)
        if message is None and earlier is not None:
            both = _both(earlier, condition)
            if both is None:
                message = f"a second condition on `{claim}`; the broker takes one for each claim"
            else:
                condition = both
        if message is not None:
            self.fault(path, message)
            return
        self._conditions[claim] = condition
        self._remarks.setdefault(claim, []).append(f"{self.place(path)}: {said}")
        literals = condition.literals()
        self._starts[claim] = [(text, True) for text in literals] if literals else starts
        if sample is not None:
            self._samples[claim] = sample

    def finish(self, path: Path) -> TranslatedPolicy | None:
        """Give the policy; None, and a problem, where it pins no tenant or says nothing."""
        if not self._conditions:
            self.fault(path, "no condition on whose jobs may come: any job of the platform could")
            return None
        named = list(self._conditions)
        self._name_pull_requests()
        if not self._pins_tenant():
            self._add_implied_tenant()
        if not self._pins_tenant():
            claims = " or ".join(f"`{claim}`" for claim in self._platform.tenant_claims)
            self.fault(
                path,
                "any tenant of the platform could match: the broker needs an owner, a repository or"
                f" a project by its full name or id ({claims}, or a `sub` that begins with one)",
            )
            return None
        self._note_case(named)
        return TranslatedPolicy(
            conditions=tuple(self._conditions.values()),
            remarks=self._remarks,
            samples=self._samples,
            notes=(*self.notes, *self._guard_note()),
            ttl=self.ttl,
            max_ttl=self.max_ttl,
        )

    def _fault_of(self, claim: str, matcher: Matcher) -> str | None:
        if not self._facts.is_text(claim):
            return (
                f"`{claim}` is no claim that is known to be a text in every token of"
                f" {self._platform.name}; write its condition by hand"
            )
        fault = next(filter(None, map(_text_fault, _texts(matcher))), None)
        if fault is not None:
            return f"{fault}, which no condition can hold"
        if self._facts.is_empty_at_times(claim) and _admits_nothing(matcher):
            return (
                f"`{claim}` may be empty, which is admitted here and never by the broker; name the"
                " values that you mean"
            )
        return None

    def _pins_tenant(self) -> bool:
        issuer = Issuer("imported", "https://imported.example", frozenset(), self._platform)
        return pins_tenant(self._conditions.values(), issuer)

    def _add_implied_tenant(self) -> None:
        for claim, starts in list(self._starts.items()):
            implied = implied_tenants(self._platform.name, claim, starts)
            for name, matcher in implied.items():
                if name not in self._conditions:
                    condition = Condition(name, matcher, folded=self.is_folded(name))
                    self._conditions = {name: condition, **self._conditions}
                    self._remarks[name] = [f"what `{claim}` begins with; a policy pins its tenant"]
                    return

    def _name_pull_requests(self) -> None:
        """Name the events of pull requests where `sub` admits nothing else: the guard asks for it.

        GitHub writes them all as `pull_request` into `sub`.
        """
        sub, event = self._conditions.get("sub"), self._platform.event_claim
        literals = sub.literals() if sub is not None else None
        if self._platform is not GITHUB or literals is None or event in self._conditions:
            return
        if all(text.endswith(":pull_request") for text in literals):
            self._conditions[event] = Condition(event, any_of(tuple(map(Equals, _PULL_REQUEST))))
            self._remarks[event] = ["what `sub` ends with; the broker wants these events named"]

    def _note_case(self, named: Iterable[str]) -> None:
        for claim in named:
            condition = self._conditions[claim]
            if condition.folded and names_one(condition.matcher):
                self._remarks[claim].append(
                    f"the broker ignores the case of `{claim}`, as {self._platform.name} does:"
                    " there is one of this name, however it is written"
                )

    def _guard_note(self) -> Iterable[str]:
        event = self._platform.event_claim
        if event in self._conditions:
            named = self._conditions[event].named_literals()
            if named:
                return
        trusted = ", ".join(sorted(self._platform.trusted_events))
        outside = _OUTSIDE[self._platform.name]
        yield (
            f"narrower than its source: runs of any other event than {trusted} are refused; those"
            f" that you mean are named by hand, as in `{event}: [push, {outside}]`"
        )


_PULL_REQUEST: Final = ("pull_request", "pull_request_review", "pull_request_review_comment")
_OUTSIDE: Final = {"github": "pull_request", "gitlab": "merge_request_event"}


def any_of(singles: Sequence[Single]) -> Positive:
    """Give what admits whatever one of these does."""
    distinct = tuple(dict.fromkeys(singles))
    return distinct[0] if len(distinct) == 1 else AnyOf(distinct)


def regex_ignoring_case(text: str) -> Regex:
    """Give what admits a text in any ASCII case and nothing else.

    NOTE: `(?i)` would also take the Kelvin sign for a k.
    """
    return Regex(
        "".join(
            f"[{each.upper()}{each.lower()}]" if each.isalpha() else re.escape(each)
            for each in text
        )
    )


def _both(one: Condition, other: Condition) -> Condition | None:
    """Give the condition that holds where both do; None where it takes two."""
    if one.matcher == other.matcher:
        return one
    for literal, second in ((one, other), (other, one)):
        texts = literal.literals()
        if texts is not None and len(texts) * len(_texts(second.matcher)) <= MAX_COMPARED:
            exact = replace(second, folded=False)
            left = [Equals(text) for text in texts if exact.holds({second.claim: text})]
            return replace(literal, matcher=any_of(left)) if left else None
    return None


def _texts(matcher: Matcher) -> list[str]:
    if isinstance(matcher, Present):
        return []
    if isinstance(matcher, Not):
        return _texts(matcher.inner)
    items = matcher.items if isinstance(matcher, AnyOf) else (matcher,)
    return [item.text if isinstance(item, Equals) else item.pattern for item in items]


def _text_fault(text: str) -> str | None:
    if not text:
        return "an empty text"
    if len(text) > MAX_TEXT:
        return f"more than {MAX_TEXT} characters"
    if not is_printable_ascii(text):
        return "a character beyond ASCII"
    if text != text.strip():
        return "a space at the beginning or end"
    return None


def _admits_nothing(matcher: Matcher) -> bool:
    """Tell whether a source admits the empty text by what this matcher is made of."""
    if isinstance(matcher, Not | Present):
        return True
    items = matcher.items if isinstance(matcher, AnyOf) else (matcher,)
    return any(_admits_empty(item) for item in items)


def _admits_empty(item: Single) -> bool:
    if isinstance(item, Equals):
        return not item.text
    if isinstance(item, Regex):
        return compile_regex(item.pattern).fullmatch("") is not None
    return not item.pattern.strip("*")
