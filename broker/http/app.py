"""The list of endpoints, on one screen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from broker.core.decision_link import PATH
from broker.http.answers import Answer, Problem, not_found_answer, problem_answer
from broker.http.api.endpoint import ApiEndpoint, ByMethod
from broker.http.decision_page import DecisionPage
from broker.http.discovery import Discovery
from broker.http.health import Health, Readiness
from broker.http.metrics_endpoint import MetricsEndpoint
from broker.http.middleware import RequestEdge
from broker.http.oauth_endpoint import OAuthEndpoint
from broker.http.openapi.document import OpenApi
from broker.http.protected_resource import WELL_KNOWN, ProtectedResource
from broker.ports import NOT_MEASURED, Measurements, Traces


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
    policies_simulate: ApiEndpoint
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
    issuer_jwks: ApiEndpoint
    decision_page: DecisionPage
    discovery: Discovery
    protected_resource: ProtectedResource
    health: Health
    readiness: Readiness
    metrics: MetricsEndpoint


def build_app(
    issuer: str,
    endpoints: Endpoints,
    draw_id: Callable[[], str],
    admin_port: int | None = None,
    measurements: Measurements = NOT_MEASURED,
    traces: Traces | None = None,
) -> ASGIApp:
    """Put the endpoints where the issuer's URL says, and at the root as well.

    With an `admin_port`, those for operators answer to requests that come to it, and to no others.
    """
    path = urlsplit(issuer).path
    public, admin = _public_routes(endpoints), _admin_routes(endpoints)
    everywhere = _health_routes(endpoints)
    whole = [*public, *admin, *everywhere]
    description = Route("/openapi.json", OpenApi(issuer, whole).serve, methods=["GET"])
    whole.append(description)
    everywhere.append(description)
    inserted = _inserted_metadata(endpoints, path) if path else []
    # The one busy endpoint is reached without the router's detours.
    direct = {f"{prefix}/oauth/token": endpoints.oauth_token for prefix in ("", path)}
    paths = {
        id(each.endpoint): each.path for each in (*whole, *inserted) if isinstance(each, Route)
    }

    def edge(app: Starlette, direct: Mapping[str, ASGIApp]) -> RequestEdge:
        return RequestEdge(app, draw_id, direct, measurements, paths, traces)

    if admin_port is None:
        return edge(_app_of(whole, path, inserted), direct)
    return ByPort(
        admin_port,
        edge(_app_of([*admin, *everywhere], path), {}),
        edge(_app_of([*public, *everywhere], path, inserted), direct),
    )


class ByPort:
    """Two applications, told apart by the port that a request came to.

    NOTE: It is the port of the connection, as the kernel knows it. Nothing that a client or a proxy
    writes has a say, and neither application has the other's routes.
    """

    def __init__(self, admin_port: int, admin: ASGIApp, public: ASGIApp) -> None:
        self._admin_port = admin_port
        self._admin = admin
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        _, port = scope["server"]
        app = self._admin if port == self._admin_port else self._public
        await app(scope, receive, send)


def _public_routes(endpoints: Endpoints) -> list[BaseRoute]:
    """List what CI jobs and services ask for."""
    discovery = endpoints.discovery
    return [
        Route("/oauth/token", endpoints.oauth_token),
        Route("/oauth/explain", endpoints.oauth_explain),
        Route("/oauth/revoke", endpoints.oauth_revoke),
        Route("/oauth/introspect", endpoints.oauth_introspect),
        Route("/api/v1/auth/token", endpoints.api_token),
        Route(f"{PATH}{{decision_id}}", endpoints.decision_page.show),
        Route("/.well-known/openid-configuration", discovery.metadata),
        Route("/.well-known/oauth-authorization-server", discovery.metadata),
        Route("/.well-known/jwks.json", discovery.jwks),
        Route(WELL_KNOWN, endpoints.protected_resource.metadata),
    ]


def _inserted_metadata(endpoints: Endpoints, path: str) -> list[BaseRoute]:
    """List what an issuer with a path has behind the host (RFC 8414 §3.1, RFC 9728 §3.1)."""
    discovery = endpoints.discovery
    return [
        Route(f"/.well-known/oauth-authorization-server{path}", discovery.metadata),
        Route(f"/.well-known/openid-configuration{path}", discovery.metadata),
        Route(f"{WELL_KNOWN}{path}", endpoints.protected_resource.metadata),
    ]


def _admin_routes(endpoints: Endpoints) -> list[BaseRoute]:
    """List what operators and their tools ask for."""
    return [
        Route("/api/v1/policies", endpoints.policies, methods=["GET"]),
        Route("/api/v1/policies/reload", endpoints.policies_reload, methods=["POST"]),
        Route("/api/v1/policies/simulate", endpoints.policies_simulate, methods=["POST"]),
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
        Route("/api/v1/issuers/{name}/jwks", endpoints.issuer_jwks, methods=["PUT"]),
        Route("/metrics", endpoints.metrics, methods=["GET"]),
    ]


def _health_routes(endpoints: Endpoints) -> list[BaseRoute]:
    """List what answers wherever the broker listens."""
    return [
        Route("/healthz", endpoints.health.healthz),
        Route("/readyz", endpoints.readiness, methods=["GET"]),
    ]


def _app_of(routes: list[BaseRoute], path: str, inserted: Sequence[BaseRoute] = ()) -> Starlette:
    """Serve the routes at the root, and below the issuer's path if it has one."""
    below = [Mount(path, routes=routes)] if path else []
    app = Starlette(routes=[*routes, *inserted, *below])
    # Without the middleware that answers faults by itself: `RequestEdge` does, alike for all paths.
    app.middleware_stack = ExceptionMiddleware(app.router, {HTTPException: _http_problem})
    # A redirect would send the credentials of a POST elsewhere (RFC 9700 §4.12).
    app.router.redirect_slashes = False
    return app


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
