"""The list of endpoints, on one screen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from broker.http.answers import Answer, Problem, not_found_answer, problem_answer
from broker.http.api.endpoint import ApiEndpoint, ByMethod
from broker.http.discovery import Discovery
from broker.http.health import Health
from broker.http.middleware import RequestEdge
from broker.http.oauth_endpoint import OAuthEndpoint
from broker.http.openapi.document import OpenApi
from broker.http.protected_resource import WELL_KNOWN, ProtectedResource


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What answers at each place."""

    oauth_token: OAuthEndpoint
    api_token: OAuthEndpoint
    oauth_explain: OAuthEndpoint
    oauth_revoke: OAuthEndpoint
    oauth_introspect: OAuthEndpoint
    policies: ApiEndpoint
    policies_reload: ApiEndpoint
    keys: ApiEndpoint
    keys_rotate: ApiEndpoint
    accounts: Mapping[str, ByMethod]
    """What answers below `/api/v1/service-accounts`, by path."""

    blocks: Mapping[str, ByMethod]
    """What answers below `/api/v1/blocks`, by path."""

    audit_logs: ApiEndpoint
    audit_verify: ApiEndpoint
    services: ApiEndpoint
    organizations: ApiEndpoint
    issuers: ApiEndpoint
    issuer: ApiEndpoint
    discovery: Discovery
    protected_resource: ProtectedResource
    health: Health


def build_app(issuer: str, endpoints: Endpoints, draw_id: Callable[[], str]) -> ASGIApp:
    """Put the endpoints where the issuer's URL says, and at the root as well.

    An issuer with a path has its metadata of RFC 8414 and RFC 9728 inserted behind the host (§3.1
    of both), all else below its path.
    """
    path = urlsplit(issuer).path
    discovery, health = endpoints.discovery, endpoints.health
    resource = endpoints.protected_resource
    routes: list[BaseRoute] = [
        Route("/oauth/token", endpoints.oauth_token),
        Route("/oauth/explain", endpoints.oauth_explain),
        Route("/oauth/revoke", endpoints.oauth_revoke),
        Route("/oauth/introspect", endpoints.oauth_introspect),
        Route("/api/v1/auth/token", endpoints.api_token),
        Route("/api/v1/policies", endpoints.policies, methods=["GET"]),
        Route("/api/v1/policies/reload", endpoints.policies_reload, methods=["POST"]),
        Route("/api/v1/keys", endpoints.keys, methods=["GET"]),
        Route("/api/v1/keys/rotate", endpoints.keys_rotate, methods=["POST"]),
        *(Route(path, each) for path, each in endpoints.accounts.items()),
        *(Route(path, each) for path, each in endpoints.blocks.items()),
        Route("/api/v1/audit-logs", endpoints.audit_logs, methods=["GET"]),
        Route("/api/v1/audit-logs/verify", endpoints.audit_verify, methods=["POST"]),
        Route("/api/v1/services", endpoints.services, methods=["GET"]),
        Route("/api/v1/organizations", endpoints.organizations, methods=["GET"]),
        Route("/api/v1/issuers", endpoints.issuers, methods=["GET"]),
        Route("/api/v1/issuers/{name}", endpoints.issuer, methods=["PATCH"]),
        Route("/.well-known/openid-configuration", discovery.metadata),
        Route("/.well-known/oauth-authorization-server", discovery.metadata),
        Route("/.well-known/jwks.json", discovery.jwks),
        Route(WELL_KNOWN, resource.metadata),
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz),
    ]
    description = OpenApi(issuer, routes)
    routes.append(Route("/openapi.json", description.serve, methods=["GET"]))
    if path:
        routes += [
            Route(f"/.well-known/oauth-authorization-server{path}", discovery.metadata),
            Route(f"/.well-known/openid-configuration{path}", discovery.metadata),
            Route(f"{WELL_KNOWN}{path}", resource.metadata),
            Mount(path, routes=list(routes)),
        ]
    app = Starlette(routes=routes)
    # Without the middleware that answers faults by itself: `RequestEdge` does, alike for all paths.
    app.middleware_stack = ExceptionMiddleware(app.router, {HTTPException: _http_problem})
    # A redirect would send the credentials of a POST elsewhere (RFC 9700 §4.12).
    app.router.redirect_slashes = False
    # The one busy endpoint is reached without the router's detours.
    direct = {f"{prefix}/oauth/token": endpoints.oauth_token for prefix in ("", path)}
    return RequestEdge(app, draw_id, direct)


async def _http_problem(request: Request, error: Exception) -> Response:
    """Answer what no endpoint serves: an unknown path, or a method it does not take."""
    headers: dict[str, str] = {}
    answer: Answer
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer = problem_answer(405, "INVALID_REQUEST", "the method is not allowed here")
        headers = dict(error.headers or {})
    else:
        answer = not_found_answer().on(request.url.path)
    if isinstance(answer, Problem):
        answer = answer.to(request.state.request_id)
    headers |= {name.decode(): value.decode() for name, value in answer.headers}
    return Response(answer.body, answer.status, headers)
