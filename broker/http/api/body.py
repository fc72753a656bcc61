"""The body of an API request: one JSON object, read strictly, or a document as it was sent."""

from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request

from broker.core.json_text import JsonRefused, loads_object
from broker.http.answers import Headers, HttpRefused, problem_answer
from broker.http.api.bearer import ApiRefused
from broker.http.parameters import (
    MAX_BODY_BYTES,
    ClientDisconnected,
    header_values,
    read_body,
)

NO_STORE: Final[Headers] = [(b"cache-control", b"no-store")]

_MEDIA_TYPES: Final = ("application/json", "application/merge-patch+json")


async def read_members(request: Request) -> dict[str, Any]:
    """Read the members of a body that may be left out. Raises `ApiRefused`."""
    body = await read_document(request, _MEDIA_TYPES, MAX_BODY_BYTES)
    if not body:
        return {}
    try:
        return loads_object(body)
    except JsonRefused as error:
        raise invalid_request(f"the body is no JSON object: {error}") from None


async def read_document(request: Request, media_types: Sequence[str], at_most: int) -> bytes:
    """Read a body of one of some media types, of at most so many bytes. Raises `ApiRefused`."""
    try:
        body = await read_body(request.scope, request.receive, at_most)
    except HttpRefused as refused:
        raise invalid_request(refused.description, refused.status) from None
    except ClientDisconnected:
        raise invalid_request("the body is not complete") from None
    for value in header_values(request.scope, b"content-type") if body else ():
        if value.partition(";")[0].strip().lower() not in media_types:
            raise invalid_request(f"the body must be {media_types[0]}", 415)
    return body


def invalid_request(detail: str, status: int = 400, *, field: str | None = None) -> ApiRefused:
    """Refuse a request for its form; `field` is the member or parameter at fault."""
    more = {} if field is None else {"field": field}
    return ApiRefused(problem_answer(status, "INVALID_REQUEST", detail, NO_STORE, more))
