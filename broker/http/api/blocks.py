"""`/api/v1/blocks`: the emergency brake, for callers without an organization."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from broker.core.registry.authority import Authority
from broker.http.answers import Answer, json_answer
from broker.http.api.bearer import ApiCaller, Bearer
from broker.http.api.body import NO_STORE, read_members
from broker.http.api.endpoint import ApiEndpoint, ByMethod
from broker.http.api.limits import ApiLimits
from broker.http.caller import Networks, caller_of
from broker.ports import BlockOperations, RegistryCaller

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

    async def listed(self, _request: Request, _caller: ApiCaller) -> Answer:
        """List the blocks that hold."""
        return json_answer(200, {"items": await self.registry.listed()}, NO_STORE)

    async def set(self, request: Request, caller: ApiCaller) -> Answer:
        """Set a block."""
        members = await read_members(request)
        made = await self.registry.set(self._caller(request, caller), members)
        return json_answer(201, made, NO_STORE)

    async def lift(self, request: Request, caller: ApiCaller) -> Answer:
        """Lift a block."""
        block_id = str(request.path_params["block_id"])
        await self.registry.lift(self._caller(request, caller), block_id)
        return Answer(204, b"", NO_STORE)

    def _caller(self, request: Request, caller: ApiCaller) -> RegistryCaller:
        known = caller_of(request.scope, self.trusted_proxies)
        authority = Authority(caller.scopes, caller.organization)
        return RegistryCaller(caller.sub, authority, known.request_id, known.client_address)
