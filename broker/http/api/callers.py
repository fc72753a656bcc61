"""The caller of the API as registries know it: what it may do, and by which request it asks."""

from starlette.requests import Request

from broker.core.registry.authority import Authority
from broker.http.api.bearer import ApiCaller
from broker.http.caller import Networks, caller_of
from broker.ports import RegistryCaller


def registry_caller(
    request: Request, caller: ApiCaller, trusted_proxies: Networks
) -> RegistryCaller:
    """Describe the caller of a request."""
    source = caller_of(request.scope, trusted_proxies)
    authority = Authority(caller.scopes, caller.organization)
    return RegistryCaller(caller.sub, authority, source.request_id, source.client_address)
