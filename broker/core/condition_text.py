"""How a condition reads: its operator, what it expects and what a token has, as JSON and as YAML.

The words are those of the policy files, so that what an explanation shows can be written back.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from broker.core.claims import is_absent, text_of
from broker.core.conditions import AnyOf, Equals, Glob, Matcher, Not, Regex, Single
from broker.core.printable import printable, without_commands

MAX_SHOWN = 200

# Anything that a reader of YAML might take for something else than this text is quoted.
_PLAIN_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_PLAIN_WORD = re.compile(r"[A-Za-z][A-Za-z0-9._/@+-]*(:[A-Za-z0-9._/@+-]+)*")
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "null", "true", "false"})


class Operator(StrEnum):
    """What a condition of an explanation asks of its claim (contract §2)."""

    EQUALS = "equals"
    ANY_OF = "any_of"
    GLOB = "glob"
    REGEX = "regex"
    NOT = "not"
    PRESENT = "present"
    GUARD = "guard"
    REQUIRE = "require"


def operator_of(matcher: Matcher) -> Operator:
    """Name the operator that a policy's matcher is shown with."""
    if isinstance(matcher, AnyOf):
        return Operator.ANY_OF
    if isinstance(matcher, Not):
        return Operator.NOT
    return _SINGLE_OPERATORS.get(type(matcher), Operator.PRESENT)


_SINGLE_OPERATORS: Mapping[type, Operator] = {
    Equals: Operator.EQUALS,
    Glob: Operator.GLOB,
    Regex: Operator.REGEX,
}


def written(matcher: Matcher) -> object:
    """Give a matcher as the value that a policy file holds for it."""
    if isinstance(matcher, Equals):
        return matcher.text
    if isinstance(matcher, AnyOf):
        return [written(item) for item in matcher.items]
    if isinstance(matcher, Glob | Regex):
        return {operator_of(matcher).value: matcher.pattern}
    if isinstance(matcher, Not):
        return {"not": written(matcher.inner)}
    return {"present": True}


def expected_by(operator: Operator, matcher: Matcher) -> object:
    """Give what a condition expects, without the operator where that is named beside it.

    Under `guard` and `require`, which name no matcher, the whole of it.
    """
    value = written(matcher)
    if operator == operator_of(matcher) and isinstance(value, dict):
        return next(iter(value.values()))
    return value


def got_from(value: object) -> object:
    """Give what a token has: the text that is compared, null when it counts as absent.

    Lists, objects and floats, which have no text, are given as they are.
    """
    text = text_of(value)
    if text is not None or is_absent(value):
        return text
    return value


def yaml(value: object) -> str:
    """Write a value on one line of YAML, every character of it printable."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{yaml(key)}: {yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(yaml(item) for item in value) + "]"
    text = text_of(value)
    if text is None:
        return '""' if value == "" else "null" if value is None else repr(value)
    plain = _PLAIN_NUMBER.fullmatch(text) or (
        _PLAIN_WORD.fullmatch(text) and (text in {"true", "false"} or text.lower() not in _RESERVED)
    )
    if plain:
        return text
    return '"' + without_commands("".join(map(_yaml_escape, text))) + '"'


def yaml_line(key: str, value: object) -> str:
    """Write one member of a mapping, marked as something to type."""
    return f"`{yaml(key)}: {yaml(value)}`"


def with_item(matcher: Matcher, text: str) -> object:
    """Give the value that admits one more literal; the literal where it cannot stand beside it."""
    items = matcher.items if isinstance(matcher, AnyOf) else (matcher,)
    single = tuple(item for item in items if isinstance(item, Single))
    return written(AnyOf((*single, Equals(text)))) if single else text


def shown(value: object) -> str:
    """Give a token's value for a sentence: short, every character of it printable.

    What a job calls itself is chosen by its author: escape sequences, line ends and marks that
    reverse the writing never reach a terminal or a log (attacks rows 58, 174).
    """
    text = text_of(value)
    if text is None:
        text = "absent" if is_absent(value) else yaml(value)
    if len(text) > MAX_SHOWN:
        text = text[:MAX_SHOWN] + "..."
    return printable(text)


def _yaml_escape(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
