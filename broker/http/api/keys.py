"""`/api/v1/keys`: the broker's own signing keys, and the order to rotate them."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from broker.core.json_text import JsonRefused, loads_object
from broker.http.answers import Answer, Headers, HttpRefused, json_answer, problem_answer
from broker.http.api.bearer import ApiCaller, ApiRefused
from broker.http.parameters import ClientDisconnected, read_body
from broker.ports import SigningKeyOperations

_NO_STORE: Final[Headers] = [(b"cache-control", b"no-store")]


@dataclass(frozen=True, slots=True)
class KeysApi:
    """What the endpoints below `/api/v1/keys` answer."""

    operations: SigningKeyOperations

    async def show(self, _request: Request, _caller: ApiCaller) -> Answer:
        """List the keys, without any private part."""
        listed = await self.operations.listed()
        return json_answer(200, {"items": [key.members() for key in listed]}, _NO_STORE)

    async def rotate(self, request: Request, caller: ApiCaller) -> Answer:
        """Let the standbys sign: as soon as verifiers know them, or with `now` at once."""
        at_once = await _asks_for_now(request)
        successions = await self.operations.rotate(at_once=at_once, actor=caller.client_id)
        return json_answer(200, {"items": [each.members() for each in successions]}, _NO_STORE)


async def _asks_for_now(request: Request) -> bool:
    """Read the body, which may be left out. Raises `ApiRefused`."""
    try:
        body = await read_body(request.scope, request.receive)
    except HttpRefused as refused:
        raise _refused(refused.status, refused.description) from None
    except ClientDisconnected:
        raise _refused(400, "the body is not complete") from None
    try:
        members = loads_object(body) if body else {}
    except JsonRefused as error:
        raise _refused(400, f"the body is no JSON object: {error}") from None
    now = members.get("now", False)
    if members.keys() - {"now"} or not isinstance(now, bool):
        raise _refused(400, "the body may hold the member 'now', true or false, and no other")
    return now


def _refused(status: int, title: str) -> ApiRefused:
    return ApiRefused(problem_answer(status, "INVALID_REQUEST", title, _NO_STORE))
