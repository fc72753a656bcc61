"""`/api/v1/keys`: the broker's own signing keys, and the order to rotate them."""

from dataclasses import dataclass

from starlette.requests import Request

from broker.http.answers import Answer, json_answer
from broker.http.api.bearer import ApiCaller
from broker.http.api.body import NO_STORE, invalid_request, read_members
from broker.ports import SigningKeyOperations


@dataclass(frozen=True, slots=True)
class KeysApi:
    """What the endpoints below `/api/v1/keys` answer."""

    operations: SigningKeyOperations

    async def show(self, _request: Request, _caller: ApiCaller) -> Answer:
        """List the keys, without any private part."""
        listed = await self.operations.listed()
        return json_answer(200, {"items": [key.members() for key in listed]}, NO_STORE)

    async def rotate(self, request: Request, caller: ApiCaller) -> Answer:
        """Let the standbys sign: as soon as verifiers know them, or with `now` at once."""
        at_once = await _asks_for_now(request)
        successions = await self.operations.rotate(at_once=at_once, actor=caller.sub)
        return json_answer(200, {"items": [each.members() for each in successions]}, NO_STORE)


async def _asks_for_now(request: Request) -> bool:
    """Read the body, which may be left out. Raises `ApiRefused`."""
    members = await read_members(request)
    now = members.get("now", False)
    if members.keys() - {"now"} or not isinstance(now, bool):
        text = "the body may hold the member 'now', true or false, and no other"
        raise invalid_request(text)
    return now
