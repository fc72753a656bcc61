"""From `match` and `require` in YAML to conditions (contract §4, Conditions)."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import Final

from broker.core.claims import text_of
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
from broker.core.globs import PatternRefused, compile_regex
from broker.policy_files.sentences import did_you_mean
from broker.yaml_document import Path

MAX_PATTERN_LENGTH: Final = 1000
OPERATORS: Final = ("glob", "regex", "not", "present")

_ARRAY_INDEX: Final = re.compile(r"[0-9]+|-")
_BAD_ESCAPE: Final = re.compile(r"~(?![01])")

Report = Callable[[Path, str], None]
"""Takes the path of a fault within the map of conditions, and a sentence."""


class _Refused(Exception):
    """A condition that cannot be read: where, below its claim, and why."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.path: Path = path


def read_conditions(
    match: Mapping[str, object], folded: Collection[str], report: Report
) -> tuple[Condition, ...] | None:
    """Read a map of conditions; None when it is empty or one is wrong, after reporting each.

    `folded` are the claims that ignore ASCII case. Null and empty values are left out: they are
    reported with all other empty values.
    """
    conditions: list[Condition] = []
    sound = bool(match)
    for claim, value in match.items():
        try:
            _check_claim(claim)
            if value is None or value in ({}, []):
                sound = False
            else:
                conditions.append(_condition(claim, value, folded=claim in folded))
        except _Refused as refused:
            report((claim, *refused.path), refused.message)
            sound = False
    return tuple(conditions) if sound else None


def claim_fault(claim: str) -> str | None:
    """Say why a name cannot be that of a top-level claim, None if it can."""
    if not claim or claim != claim.strip() or not claim.isprintable():
        return "a claim's name has no spaces around it and only printable characters"
    if claim.startswith("/"):
        return "a pointer cannot stand here; name a claim"
    return None


def _condition(claim: str, value: object, *, folded: bool) -> Condition:
    if isinstance(value, str | int):
        return _literal_condition(claim, value, folded=folded)
    return Condition(claim, _matcher(value), folded)


@lru_cache(maxsize=4096, typed=True)
def _literal_condition(claim: str, value: str | int, *, folded: bool) -> Condition:
    """Make what many policies say once: the same branch, owner or environment."""
    return Condition(claim, _single(value), folded)


@lru_cache(maxsize=1024)
def _check_claim(claim: str) -> None:
    if not claim.startswith("/"):
        fault = claim_fault(claim)
        if fault is not None:
            raise _Refused(fault)
        return
    segments = claim[1:].split("/")
    if len(segments) == 1:
        raise _Refused(f"a pointer has at least two segments; write `{segments[0]}` for the claim")
    if "" in segments or _BAD_ESCAPE.search(claim):
        raise _Refused(
            "a pointer has no empty segments, and `~` only as `~0` (for ~) and `~1` (for /)"
        )
    if any(_ARRAY_INDEX.fullmatch(segment) for segment in segments):
        raise _Refused(
            "a pointer has no array index; match the list itself, one element that holds is enough"
        )


def _matcher(value: object) -> Matcher:
    if isinstance(value, dict):
        operator, operand = _operator(value)
        if operator == "not":
            return Not(_negated(operand))
        if operator == "present":
            return _present(operand)
    return _positive(value)


def _positive(value: object) -> Positive:
    if isinstance(value, list):
        return AnyOf(tuple(_items(value)))
    return _single(value)


def _items(values: list[object]) -> Iterator[Single]:
    for index, value in enumerate(values):
        try:
            yield _single(value)
        except _Refused as refused:
            raise _Refused(refused.message, index, *refused.path) from None


def _single(value: object) -> Single:
    if isinstance(value, dict):
        operator, operand = _operator(value)
        if operator == "glob":
            return Glob(_pattern(operator, operand))
        if operator == "regex":
            return _regex(operand)
        if operator == "not":
            raise _Refused("`not` inside a list or another `not`; write `{not: [a, b]}`")
        raise _Refused("`present` stands alone; write `claim: {present: true}`")
    if isinstance(value, list):
        raise _Refused("a list inside a list; write its items into the outer one")
    text = text_of(value)
    if text is None:
        raise _Refused(
            "an empty text matches nothing; for a claim that is absent use a deny policy"
        )
    _check_text(text)
    return Equals(text)


def _negated(operand: object) -> Positive:
    try:
        return _positive(operand)
    except _Refused as refused:
        raise _Refused(refused.message, "not", *refused.path) from None


def _operator(value: Mapping[str, object]) -> tuple[str, object]:
    if len(value) != 1:
        raise _Refused("one operator only; two conditions on one claim are two policies")
    operator, operand = next(iter(value.items()))
    if operator not in OPERATORS:
        known = did_you_mean(operator, OPERATORS)
        raise _Refused(f"there is no operator `{operator}`{known}")
    if operand is None or operand in ({}, []):
        raise _Refused(f"`{operator}` is empty; give it a value or delete it", operator)
    return operator, operand


def _present(operand: object) -> Present:
    if operand is not True:
        raise _Refused(
            "only `{present: true}`; to refuse tokens that have the claim, write a deny policy",
            "present",
        )
    return Present()


def _pattern(operator: str, operand: object) -> str:
    if not isinstance(operand, str) or not operand:
        raise _Refused(f'`{operator}` takes one text, as in `{{{operator}: "acme/*"}}`', operator)
    if len(operand) > MAX_PATTERN_LENGTH:
        raise _Refused(f"longer than {MAX_PATTERN_LENGTH} characters", operator)
    _check_text(operand, operator)
    return operand


def _regex(operand: object) -> Regex:
    pattern = _pattern("regex", operand)
    try:
        # Folding makes a pattern larger; whether the claim folds is not known here.
        compile_regex(pattern)
        compile_regex(pattern, fold=True)
    except PatternRefused as error:
        raise _Refused(f"not a pattern of RE2: {error}", "regex") from None
    return Regex(pattern)


def _check_text(text: str, *path: str) -> None:
    if "\n" in text:
        raise _Refused("a line break; write the value on one line", *path)
    if text != text.strip():
        raise _Refused("a space at the beginning or end; delete it", *path)
