"""The query of an API request: the parameters that an endpoint knows, each once, and pages."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from starlette.requests import Request

from broker.core.list_cursor import CursorRefused, read_cursor, write_cursor
from broker.http.api.bearer import ApiRefused
from broker.http.api.body import invalid_request

PAGING: Final = ("cursor", "limit")
DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
MAX_VALUE_LENGTH: Final = 512
"""Characters of a parameter."""

_MAX_PARAMETERS: Final = 50
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,3}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

Item = TypeVar("Item")


def read_query(request: Request, known: Sequence[str]) -> dict[str, str]:
    """Read the parameters of a request, each of them known and not empty. Raises `ApiRefused`."""
    raw: bytes = request.scope["query_string"]
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError:
        # Not ASCII, percent-escapes that are not UTF-8, or too many.
        raise invalid_request("the query is not clean UTF-8, or has too many parameters") from None
    parameters: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            names = ", ".join(known) or "none"
            shown = name[:64]
            raise invalid_request(f"unknown parameter '{shown}'; there are: {names}", field=shown)
        if name in parameters:
            raise invalid_request(f"parameter '{name}' is repeated", field=name)
        if not 0 < len(value) <= MAX_VALUE_LENGTH or _CONTROL.search(value):
            raise invalid_request(
                f"parameter '{name}' must have 1 to {MAX_VALUE_LENGTH} printable characters",
                field=name,
            )
        parameters[name] = value
    return parameters


def read_limit(parameters: Mapping[str, str]) -> int:
    """Read how many items a page may have. Raises `ApiRefused`."""
    text = parameters.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    if not _LIMIT.fullmatch(text) or int(text) > MAX_LIMIT:
        raise invalid_request(f"'limit' must be a number from 1 to {MAX_LIMIT}", field="limit")
    return int(text)


def read_position(name: str, parameters: Mapping[str, str]) -> str | None:
    """Read behind what the page begins; None for the first. Raises `ApiRefused`."""
    cursor = parameters.get("cursor")
    if cursor is None:
        return None
    try:
        return read_cursor(name, _filters(parameters), cursor)
    except CursorRefused as error:
        raise foreign_cursor(str(error)) from None


def foreign_cursor(why: str) -> ApiRefused:
    """Refuse a cursor."""
    return invalid_request(f"the cursor is refused: {why}; begin without one", field="cursor")


def next_cursor(name: str, parameters: Mapping[str, str], position: str) -> str:
    """Write where the list of these parameters goes on."""
    return write_cursor(name, _filters(parameters), position)


def page_of(
    name: str, request: Request, items: Mapping[str, Item], shown: Callable[[Item], Any]
) -> dict[str, Any]:
    """Give the page that is asked for of a list in memory, in the order of its keys.

    Raises `ApiRefused`.
    """
    parameters = read_query(request, PAGING)
    limit, after = read_limit(parameters), read_position(name, parameters)
    keys = sorted(key for key in items if after is None or key > after)
    members: dict[str, Any] = {"items": [shown(items[key]) for key in keys[:limit]]}
    if len(keys) > limit:
        members["next_cursor"] = next_cursor(name, parameters, keys[limit - 1])
    return members


def _filters(parameters: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if name not in PAGING}
