"""The body of an API request: one JSON object, read strictly."""

from typing import Any, Final

from starlette.requests import Request

from broker.core.json_text import JsonRefused, loads_object
from broker.http.answers import Headers, HttpRefused, problem_answer
from broker.http.api.bearer import ApiRefused
from broker.http.parameters import ClientDisconnected, header_values, read_body

NO_STORE: Final[Headers] = [(b"cache-control", b"no-store")]

_MEDIA_TYPES: Final = frozenset({"application/json", "application/merge-patch+json"})


async def read_members(request: Request) -> dict[str, Any]:
    """Read the members of a body that may be left out. Raises `ApiRefused`."""
    try:
        body = await read_body(request.scope, request.receive)
    except HttpRefused as refused:
        raise invalid_request(refused.description, refused.status) from None
    except ClientDisconnected:
        raise invalid_request("the body is not complete") from None
    if not body:
        return {}
    for value in header_values(request.scope, b"content-type"):
        if value.partition(";")[0].strip().lower() not in _MEDIA_TYPES:
            raise invalid_request("the body must be application/json", 415)
    try:
        return loads_object(body)
    except JsonRefused as error:
        raise invalid_request(f"the body is no JSON object: {error}") from None


def invalid_request(detail: str, status: int = 400, *, field: str | None = None) -> ApiRefused:
    """Refuse a request for its form; `field` is the member or parameter at fault."""
    more = {} if field is None else {"field": field}
    return ApiRefused(problem_answer(status, "INVALID_REQUEST", detail, NO_STORE, more))
