"""Reading a token request: the body within its bounds, then its parameters, each once.

The form is the only form at `/oauth/token` (RFC 6749 §4.4.2); `/api/v1/auth/token` also takes the
same members as a flat JSON object.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from starlette.types import Receive, Scope

from broker.core.errors import Reason, RequestRefused
from broker.core.json_text import JsonRefused, loads_object
from broker.grants.request import Parameters
from broker.http.answers import HttpRefused

MAX_BODY_BYTES: Final = 64 * 1024
MAX_PARAMETERS: Final = 50
BODY_DEADLINE_SECONDS: Final = 10.0
MAX_REMEMBERED: Final = 100
"""Characters of an escaped text whose meaning is remembered."""

_HEADERS: Final = "broker.headers"
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_REPEATABLE: Final = frozenset({"audience", "resource"})
# Their own readers judge the characters of these, with a more telling reason.
_JUDGED_LATER: Final = frozenset({"scope", "subject_token", "assertion", "client_assertion"})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class ClientDisconnected(Exception):
    """The client went away before its request was complete; nobody waits for an answer."""


async def read_parameters(scope: Scope, receive: Receive, *, json_allowed: bool) -> Parameters:
    """Read the parameters of a POST request.

    Raises `RequestRefused` (`HttpRefused` for 405 and 413) and `ClientDisconnected`.
    """
    if scope["method"] != "POST":
        raise HttpRefused(405, "use POST", [(b"allow", b"POST")])
    media_type = _media_type(scope)
    if media_type != _FORM and not (json_allowed and media_type == _JSON):
        raise _malformed(f"the body must be {_FORM}")
    body = await read_body(scope, receive)
    if scope["query_string"]:
        raise _malformed("send every parameter in the body, none in the URL")
    return _from_json(body) if media_type == _JSON else _from_form(body)


def header_values(scope: Scope, name: bytes) -> Sequence[str]:
    """List the values of a header, which may be sent more than once."""
    by_name: dict[bytes, list[str]] | None = scope.get(_HEADERS)
    if by_name is None:
        # Several are looked for in every request, so all are put in order once.
        by_name = scope[_HEADERS] = {}
        for key, value in scope["headers"]:
            by_name.setdefault(key, []).append(value.decode("latin-1"))
    return by_name.get(name, ())


def _media_type(scope: Scope) -> str:
    """Give the media type in lower case, or "" when there is none or no usable one."""
    values = header_values(scope, b"content-type")
    if len(values) != 1 or header_values(scope, b"content-encoding"):
        return ""
    media_type, _, parameters = values[0].partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if charset not in ("", "charset=utf-8"):
        return ""
    return media_type.strip().lower()


async def read_body(scope: Scope, receive: Receive, at_most: int = MAX_BODY_BYTES) -> bytes:
    """Read a whole body, within its bounds.

    Raises `HttpRefused` (408, 413) and `ClientDisconnected`.
    """
    # NOTE: without zeros before it, of which a length may have thousands: Python converts no more.
    for stated in header_values(scope, b"content-length"):
        length = stated.lstrip("0")
        if length.isdecimal() and (len(length) > len(str(at_most)) or int(length) > at_most):
            raise _too_large(at_most)
    if scope.get("state", {}).get("received"):
        # The connection has all of it, as nearly always: there is nothing to wait for.
        return await _receive_body(receive, at_most)
    try:
        async with asyncio.timeout(BODY_DEADLINE_SECONDS):
            return await _receive_body(receive, at_most)
    except TimeoutError:
        raise HttpRefused(408, "the body did not arrive in time") from None


async def _receive_body(receive: Receive, at_most: int) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        body += message.get("body", b"")
        if len(body) > at_most:
            raise _too_large(at_most)
        if not message.get("more_body", False):
            return body


def _from_form(body: bytes) -> Parameters:
    if body.count(b"&") >= MAX_PARAMETERS:
        raise _malformed("the form has too many parameters")
    try:
        return _each_once(_form_pairs(body.decode("ascii")))
    except UnicodeError:
        # Not ASCII, or percent-escapes that are not UTF-8.
        raise _malformed("the form is not clean UTF-8") from None


def _form_pairs(text: str) -> Iterator[tuple[str, str]]:
    """Decode names and values (WHATWG URL §5.1), as `urllib.parse.parse_qsl` does.

    A value of hundreds of characters is hardly ever escaped, so the look for an escape comes first.
    """
    for field in text.replace("+", " ").split("&"):
        if field:
            name, _, value = field.partition("=")
            yield (_unescaped(name), _unescaped(value)) if "%" in field else (name, value)


def _unescaped(text: str) -> str:
    """Decode percent-escapes. Raises `UnicodeError` when they are not UTF-8."""
    return _unescaped_short(text) if len(text) <= MAX_REMEMBERED else unquote(text, errors="strict")


@lru_cache(maxsize=256)
def _unescaped_short(text: str) -> str:
    # The same URNs come with every request.
    return unquote(text, errors="strict")


def _from_json(body: bytes) -> Parameters:
    try:
        members = loads_object(body)
    except JsonRefused as error:
        raise _malformed(f"the JSON object is refused: {error}") from None
    if len(members) > MAX_PARAMETERS:
        raise _malformed("the JSON object has too many members")
    return _each_once(_json_pairs(members))


def _json_pairs(members: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in members.items():
        values = value if name in _REPEATABLE and isinstance(value, list) else [value]
        for each in values:
            if name == "expires_in" and type(each) is int:
                yield name, str(each)
            elif isinstance(each, str):
                yield name, each
            else:
                raise _malformed(f"member '{name[:64]}' is of the wrong type")


def _each_once(pairs: Iterable[tuple[str, str]]) -> Parameters:
    parameters: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in parameters:
            parameters[name] = [value]
        elif name in _REPEATABLE:
            parameters[name].append(value)
        else:
            raise _malformed(f"parameter '{name[:64]}' is repeated")
        # A text that is printable has none, which is seen sooner.
        if not value.isprintable() and name not in _JUDGED_LATER and _CONTROL.search(value):
            raise _malformed(f"parameter '{name[:64]}' has control characters")
    return parameters


def _too_large(at_most: int) -> HttpRefused:
    return HttpRefused(413, f"the body is larger than {at_most} bytes")


def _malformed(description: str) -> RequestRefused:
    return RequestRefused(Reason.MALFORMED_REQUEST, description)
