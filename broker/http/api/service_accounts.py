"""`/api/v1/service-accounts`: accounts and their secrets, for operators and organizations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request

from broker.http.answers import Answer, json_answer
from broker.http.api.bearer import ApiCaller, Bearer
from broker.http.api.body import NO_STORE, read_members
from broker.http.api.callers import registry_caller
from broker.http.api.endpoint import ApiEndpoint, ByMethod, Serve
from broker.http.api.limits import ApiLimits
from broker.http.api.query import PAGING, next_cursor, read_limit, read_position, read_query
from broker.http.caller import Networks
from broker.ports import AccountOperations, Identify, Made, RegistryCaller

PATH: Final = "/api/v1/service-accounts"
READ: Final = "broker:accounts:read"
WRITE: Final = "broker:accounts:write"

_LIST: Final = "service-accounts"


@dataclass(frozen=True, slots=True)
class ServiceAccountsApi:
    """What the endpoints below `/api/v1/service-accounts` answer."""

    registry: AccountOperations
    bearer: Bearer
    limits: ApiLimits
    trusted_proxies: Networks

    def endpoints(self) -> dict[str, ByMethod]:
        """Say what answers at which path."""
        account = f"{PATH}/{{client_id}}"
        return {
            PATH: self._confined(GET=(READ, self.listed), POST=(WRITE, self.create)),
            account: self._confined(
                GET=(READ, self.shown), PATCH=(WRITE, self.patch), DELETE=(WRITE, self.delete)
            ),
            f"{account}/secrets": self._confined(
                GET=(READ, self.secrets), POST=(WRITE, self.create_secret)
            ),
            # Before `{secret_id}`, which would take its name for an id.
            f"{account}/secrets/rotate": self._confined(POST=(WRITE, self.rotate_secret)),
            f"{account}/secrets/rotate/complete": self._confined(
                POST=(WRITE, self.complete_rotation)
            ),
            f"{account}/secrets/rotate/cancel": self._confined(POST=(WRITE, self.cancel_rotation)),
            f"{account}/secrets/{{secret_id}}": self._confined(DELETE=(WRITE, self.revoke_secret)),
        }

    def _confined(self, **by_method: tuple[str, Serve]) -> ByMethod:
        return ByMethod(
            {
                method: ApiEndpoint(self.bearer, self.limits, scope, serve, confined=True)
                for method, (scope, serve) in by_method.items()
            }
        )

    # --- accounts ---------------------------------------------------------------------------------

    async def listed(self, request: Request, caller: ApiCaller) -> Answer:
        """List the accounts of files and those that were made, by id."""
        query = read_query(request, (*PAGING, "organization"))
        page = await self.registry.listed(
            self._registry_caller(request, caller),
            organization=query.get("organization"),
            after=read_position(_LIST, query) or "",
            limit=read_limit(query),
        )
        members: dict[str, Any] = {"items": page.items}
        if page.next_after is not None:
            members["next_cursor"] = next_cursor(_LIST, query, page.next_after)
        return json_answer(200, members, NO_STORE)

    async def create(self, request: Request, _caller: ApiCaller) -> Answer:
        """Make an account, with a secret if it may have one."""
        members = await read_members(request)
        made = await self.registry.create(self._identify(request), members, with_secret=True)
        # Where the issuer's URL has a path, it is below that.
        place = f"{urlsplit(self.bearer.issuer).path}{PATH}/{made.members['id']}"
        location = (b"location", place.encode())
        return json_answer(201, _with_secret(made), [*NO_STORE, location])

    async def shown(self, request: Request, caller: ApiCaller) -> Answer:
        """Show one account."""
        registry_caller = self._registry_caller(request, caller)
        return _found(await self.registry.shown(registry_caller, _client_id(request)))

    async def patch(self, request: Request, _caller: ApiCaller) -> Answer:
        """Change an account by a merge patch."""
        patch = await read_members(request)
        client_id = _client_id(request)
        return _found(await self.registry.patch(self._identify(request), client_id, patch))

    async def delete(self, request: Request, _caller: ApiCaller) -> Answer:
        """End an account and its secrets."""
        await self.registry.delete(self._identify(request), _client_id(request))
        return _done()

    # --- secrets ----------------------------------------------------------------------------------

    async def secrets(self, request: Request, caller: ApiCaller) -> Answer:
        """List the secrets that are alive, without themselves."""
        registry_caller = self._registry_caller(request, caller)
        items = await self.registry.secrets(registry_caller, _client_id(request))
        return _found({"items": items})

    async def create_secret(self, request: Request, _caller: ApiCaller) -> Answer:
        """Make one more secret."""
        members = await read_members(request)
        client_id = _client_id(request)
        made = await self.registry.create_secret(self._identify(request), client_id, members)
        return json_answer(201, _with_secret(made), NO_STORE)

    async def revoke_secret(self, request: Request, _caller: ApiCaller) -> Answer:
        """End a secret."""
        secret_id = str(request.path_params["secret_id"])
        await self.registry.revoke_secret(self._identify(request), _client_id(request), secret_id)
        return _done()

    async def rotate_secret(self, request: Request, _caller: ApiCaller) -> Answer:
        """Make a second secret for one that ends with the overlap."""
        members = await read_members(request)
        client_id = _client_id(request)
        made = await self.registry.rotate_secret(self._identify(request), client_id, members)
        return json_answer(201, _with_secret(made), NO_STORE)

    async def complete_rotation(self, request: Request, _caller: ApiCaller) -> Answer:
        """End the secret that is replaced."""
        identify, client_id = self._identify(request), _client_id(request)
        return _found(await self.registry.complete_rotation(identify, client_id))

    async def cancel_rotation(self, request: Request, _caller: ApiCaller) -> Answer:
        """Drop the new secret."""
        identify, client_id = self._identify(request), _client_id(request)
        return _found(await self.registry.cancel_rotation(identify, client_id))

    # --- who asks ---------------------------------------------------------------------------------

    def _identify(self, request: Request) -> Identify:
        async def identify() -> RegistryCaller:
            # Whoever was disabled since changes nothing any more.
            caller = await self.bearer.require(request.scope, WRITE, confined=True)
            return self._registry_caller(request, caller)

        return identify

    def _registry_caller(self, request: Request, caller: ApiCaller) -> RegistryCaller:
        return registry_caller(request, caller, self.trusted_proxies)


def _client_id(request: Request) -> str:
    return str(request.path_params["client_id"])


def _with_secret(made: Made) -> dict[str, Any]:
    if made.secret is None:
        return made.members
    return made.members | {"client_secret": made.secret, "api_key": made.secret}


def _found(members: Mapping[str, Any]) -> Answer:
    return json_answer(200, members, NO_STORE)


def _done() -> Answer:
    return Answer(204, b"", NO_STORE)
