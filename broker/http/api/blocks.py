"""`/api/v1/blocks`: the emergency brake, for callers without an organization."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from broker.http.answers import Answer, json_answer
from broker.http.api.bearer import ApiCaller, Bearer
from broker.http.api.body import NO_STORE, read_members
from broker.http.api.callers import registry_caller
from broker.http.api.endpoint import ApiEndpoint, ByMethod
from broker.http.api.limits import ApiLimits
from broker.http.api.query import read_query
from broker.http.caller import Networks
from broker.ports import BlockOperations

PATH: Final = "/api/v1/blocks"
READ: Final = "broker:blocks:read"
WRITE: Final = "broker:blocks:write"


@dataclass(frozen=True, slots=True)
class BlocksApi:
    """What the endpoints below `/api/v1/blocks` answer."""

    registry: BlockOperations
    bearer: Bearer
    limits: ApiLimits
    trusted_proxies: Networks

    def endpoints(self) -> dict[str, ByMethod]:
        """Say what answers at which path."""
        bearer, limits = self.bearer, self.limits
        return {
            PATH: ByMethod(
                {
                    "GET": ApiEndpoint(bearer, limits, READ, self.listed),
                    "POST": ApiEndpoint(bearer, limits, WRITE, self.set),
                }
            ),
            f"{PATH}/{{block_id}}": ByMethod(
                {"DELETE": ApiEndpoint(bearer, limits, WRITE, self.lift)}
            ),
        }

    async def listed(self, request: Request, _caller: ApiCaller) -> Answer:
        """List the blocks that hold."""
        read_query(request, ())
        return json_answer(200, {"items": await self.registry.listed()}, NO_STORE)

    async def set(self, request: Request, caller: ApiCaller) -> Answer:
        """Set a block."""
        members = await read_members(request)
        who = registry_caller(request, caller, self.trusted_proxies)
        return json_answer(201, await self.registry.set(who, members), NO_STORE)

    async def lift(self, request: Request, caller: ApiCaller) -> Answer:
        """Lift a block."""
        block_id = str(request.path_params["block_id"])
        await self.registry.lift(registry_caller(request, caller, self.trusted_proxies), block_id)
        return Answer(204, b"", NO_STORE)
