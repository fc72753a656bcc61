"""Templates of claims: a text with placeholders for what the broker knows of a decision.

`team:{metadata.team}` is read once, when the policy files are loaded; there is nothing in it but
literal text and placeholders. What a placeholder may stand for, `shaped_claims` says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from broker.core.claims import is_printable_ascii

MAX_TEXT: Final = 256
"""Characters of a template, and of what becomes of it: the longest value of an AWS session tag."""

METADATA: Final = "metadata"
WORKLOAD: Final = "workload"
SERVICE_ACCOUNT: Final = "service_account"
SUB: Final = "sub"
ORGANIZATION: Final = "organization"

_OF_A_NAME: Final = (METADATA, WORKLOAD)
_ALONE: Final = (SERVICE_ACCOUNT, SUB, ORGANIZATION)
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_BETWEEN_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")

KNOWN: Final = (
    "{metadata.NAME}, {workload.NAME}, {service_account}, {sub} and {organization} are placeholders"
)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What stands between braces: a source, and a name within it where the source has names."""

    source: str
    """`metadata`, `workload`, `service_account`, `sub` or `organization`."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A template, and what it is made of: literal texts and placeholders, in their order."""

    text: str
    parts: tuple[str | Placeholder, ...]

    def placeholders(self) -> Iterator[Placeholder]:
        """Yield the placeholders, each as often as it stands there."""
        return (part for part in self.parts if isinstance(part, Placeholder))

    @property
    def literal_length(self) -> int:
        """How many characters it has beside its placeholders."""
        return sum(len(part) for part in self.parts if isinstance(part, str))


def parse_template(text: str) -> Template:
    """Read a template. Raises `ValueError` with a sentence that says what is wrong."""
    if not text:
        raise ValueError("is empty; give it a text")
    if not is_printable_ascii(text):
        raise ValueError("has characters that are not printable ASCII")
    # Literals and what stands between braces, in turns.
    pieces = _BETWEEN_BRACES.split(text)
    parts: list[str | Placeholder] = []
    for place, piece in enumerate(pieces):
        if place % 2:
            parts.append(_placeholder(piece))
        elif "{" in piece or "}" in piece:
            raise ValueError(f"has a brace that belongs to no placeholder; {KNOWN}")
        elif piece:
            parts.append(piece)
    template = Template(text, tuple(parts))
    # No placeholder stands for nothing.
    if template.literal_length + sum(1 for _ in template.placeholders()) > MAX_TEXT:
        raise ValueError(f"is longer than {MAX_TEXT} characters")
    return template


def _placeholder(between: str) -> Placeholder:
    source, dot, name = between.partition(".")
    if not dot and source in _ALONE:
        return Placeholder(source)
    if dot and source in _OF_A_NAME and _NAME.fullmatch(name):
        return Placeholder(source, name)
    raise ValueError(f"has the unknown placeholder {{{between}}}; {KNOWN}")


def is_value(text: str, *, path: bool = False) -> bool:
    """Tell whether a text may stand in for a placeholder: as the value of an instance may.

    A `path` may be several such segments with `/` between them. Nothing is ever escaped, so that
    no value can end one part of a text and begin another; `.` and `..` are steps of a path to
    whoever reads one.
    """
    segments = text.split("/") if path else (text,)
    return all(
        _SEGMENT.fullmatch(segment) is not None and segment not in {".", ".."}
        for segment in segments
    )
