"""From `claims` and `session_tags` of a service to templates, each checked."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from broker.core.access_token import MAX_TOKEN_BYTES
from broker.core.claim_templates import Template, parse_template
from broker.core.errors import Problem
from broker.core.policy import Service
from broker.core.reserved_claims import are_the_same_name, claim_name_fault
from broker.core.token_shape import (
    MAX_CLAIMS,
    MAX_ITEMS,
    MAX_MEMBERS,
    MAX_TAGS,
    ClaimTemplate,
    Texts,
)
from broker.core.token_size import largest_token
from broker.policy_files.deployment import Deployment
from broker.policy_files.document_entries import Entry
from broker.policy_files.models import ServiceModel
from broker.yaml_document import Path

MAX_TAG_KEY: Final = 128

_MEMBER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_TAG_KEY: Final = re.compile(rf"[A-Za-z0-9_.:/=+@-][A-Za-z0-9 _.:/=+@-]{{0,{MAX_TAG_KEY - 1}}}")
# What AWS takes as the value of a tag, beside what placeholders stand for.
_TAG_TEXT: Final = re.compile(r"[A-Za-z0-9 _.:/=+@-]*")


class _Refused(Exception):
    """A value that is no template: where, below the entry, and why."""

    def __init__(self, path: Path, message: str, *, at_key: bool = False) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.at_key = at_key


def read_claims(entry: Entry[ServiceModel], problems: list[Problem]) -> Mapping[str, ClaimTemplate]:
    """Read the sound ones of `claims`; what is wrong with others goes to `problems`."""
    found: dict[str, ClaimTemplate] = {}
    stated = entry.model.claims
    if len(stated) > MAX_CLAIMS:
        text = f"there are more than {MAX_CLAIMS} claims"
        problems.append(entry.problem(("claims",), text, at_key=True))
        # Each is compared with all others: there may be no more of them than can be.
        return found
    for name, value in stated.items():
        fault = claim_name_fault(name) or _twice(name, found)
        if fault is not None:
            problems.append(entry.problem(("claims", name), fault, at_key=True))
            continue
        try:
            found[name] = _claim(("claims", name), value)
        except _Refused as refused:
            problems.append(entry.problem(refused.path, refused.message, at_key=refused.at_key))
    return found


def read_session_tags(
    entry: Entry[ServiceModel], problems: list[Problem]
) -> Mapping[str, Template]:
    """Read the sound ones of `session_tags`, with the limits of AWS STS; others are reported."""
    found: dict[str, Template] = {}
    stated = entry.model.session_tags
    if len(stated) > MAX_TAGS:
        text = f"there are more than {MAX_TAGS} tags"
        problems.append(entry.problem(("session_tags",), text, at_key=True))
        return found
    for key, value in stated.items():
        fault = _tag_key_fault(key) or _twice(key, found)
        if fault is not None:
            problems.append(entry.problem(("session_tags", key), fault, at_key=True))
            continue
        try:
            found[key] = _tag(("session_tags", key), value)
        except _Refused as refused:
            problems.append(entry.problem(refused.path, refused.message, at_key=refused.at_key))
    problems += _transitive_faults(entry)
    return found


def size_faults(
    entry: Entry[ServiceModel], service: Service, deployment: Deployment
) -> Iterator[Problem]:
    """Report a service of which some token would be too large."""
    if service.shape is None:
        return
    size = largest_token(service, service.shape, deployment.broker_issuer)
    if size > MAX_TOKEN_BYTES:
        field = "claims" if entry.model.claims else "session_tags"
        text = (
            f"a token of this service could have {size} bytes, and {MAX_TOKEN_BYTES} is the most:"
            " take some templates or scopes away"
        )
        yield entry.problem((field,), text, at_key=True)


def _claim(path: Path, value: object) -> ClaimTemplate:
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return tuple(
            _object((*path, index), item) for index, item in enumerate(_bounded(path, value))
        )
    return _texts(path, value)


def _object(path: Path, value: object) -> Mapping[str, Texts]:
    if not isinstance(value, dict):
        raise _Refused(path, "a list holds texts or mappings, not both")
    if len(value) > MAX_MEMBERS:
        raise _Refused(path, f"a mapping here has up to {MAX_MEMBERS} members")
    members: dict[str, Texts] = {}
    for name, member in value.items():
        if not _MEMBER.fullmatch(name):
            text = (
                "a member's name is up to 100 letters, digits, `_`, `.` and `-`, the first a letter"
                " or `_`"
            )
            raise _Refused((*path, name), text, at_key=True)
        if (fault := _twice(name, members)) is not None:
            raise _Refused((*path, name), fault, at_key=True)
        members[name] = _texts((*path, name), member)
    return members


def _texts(path: Path, value: object) -> Texts:
    if isinstance(value, list):
        return tuple(
            _template((*path, index), item) for index, item in enumerate(_bounded(path, value))
        )
    return _template(path, value)


def _bounded(path: Path, items: list[object]) -> list[object]:
    if len(items) > MAX_ITEMS:
        raise _Refused(path, f"a list here has up to {MAX_ITEMS} items")
    return items


def _template(path: Path, value: object) -> Template:
    if isinstance(value, dict | list):
        text = "must be a text; a claim is a text, a list of texts, or a list of flat mappings"
        raise _Refused(path, text)
    if not isinstance(value, str):
        written = str(value).lower() if isinstance(value, bool) else str(value)
        raise _Refused(path, f'must be text; quote it: "{written}"')
    try:
        return parse_template(value)
    except ValueError as error:
        raise _Refused(path, f"the template {error}") from None


def _tag(path: Path, value: str) -> Template:
    template = _template(path, value)
    for part in template.parts:
        if isinstance(part, str) and not _TAG_TEXT.fullmatch(part):
            text = "the value of a tag has letters, digits, spaces and `_ . : / = + - @` alone"
            raise _Refused(path, text)
    return template


def _tag_key_fault(key: str) -> str | None:
    if not _TAG_KEY.fullmatch(key) or key.endswith(" "):
        return (
            f"a tag's key is up to {MAX_TAG_KEY} letters, digits, spaces and `_ . : / = + - @`,"
            " without spaces around it"
        )
    if key.lower().startswith("aws:"):
        return "keys that begin with `aws:` belong to AWS; take another"
    return None


def _twice(name: str, others: Mapping[str, object]) -> str | None:
    for other in others:
        if are_the_same_name(name, other):
            return f"differs from `{other}` in case alone, which not every reader tells apart"
    return None


def _transitive_faults(entry: Entry[ServiceModel]) -> Iterator[Problem]:
    earlier: set[str] = set()
    for index, key in enumerate(entry.model.transitive_tags):
        if key not in entry.model.session_tags:
            text = f"there is no tag `{key}` in `session_tags`"
            yield entry.problem(("transitive_tags", index), text)
        elif key in earlier:
            yield entry.problem(("transitive_tags", index), f"`{key}` is here twice")
        earlier.add(key)
