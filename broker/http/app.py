"""The list of endpoints, on one screen."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from broker.http.answers import problem_answer
from broker.http.discovery import Discovery
from broker.http.health import Health
from broker.http.middleware import RequestEdge
from broker.http.token_endpoint import TokenEndpoint

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What answers at each place."""

    oauth_token: TokenEndpoint
    api_token: TokenEndpoint
    discovery: Discovery
    health: Health


def build_app(
    issuer: str, endpoints: Endpoints, lifespan: Lifespan, draw_id: Callable[[], str]
) -> ASGIApp:
    """Put the endpoints where the issuer's URL says, and at the root as well.

    An issuer with a path has its RFC 8414 metadata inserted behind the host (§3.1), all else below
    its path.
    """
    path = urlsplit(issuer).path
    discovery, health = endpoints.discovery, endpoints.health
    routes: list[BaseRoute] = [
        Route("/oauth/token", endpoints.oauth_token),
        Route("/api/v1/auth/token", endpoints.api_token),
        Route("/.well-known/openid-configuration", discovery.metadata),
        Route("/.well-known/oauth-authorization-server", discovery.metadata),
        Route("/.well-known/jwks.json", discovery.jwks),
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz),
    ]
    if path:
        routes += [
            Route(f"/.well-known/oauth-authorization-server{path}", discovery.metadata),
            Route(f"/.well-known/openid-configuration{path}", discovery.metadata),
            Mount(path, routes=list(routes)),
        ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={HTTPException: _http_problem},
    )
    # A redirect would send the credentials of a POST elsewhere (RFC 9700 §4.12).
    app.router.redirect_slashes = False
    return RequestEdge(app, draw_id)


async def _http_problem(_request: Request, error: Exception) -> Response:
    """Answer what no endpoint serves: an unknown path or method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = "NOT_FOUND" if status == 404 else "INVALID_REQUEST"
    answer = problem_answer(status, code, "no such endpoint" if status == 404 else "not allowed")
    headers = getattr(error, "headers", None) or {}
    response = Response(answer.body, status_code=status, headers=dict(headers))
    response.headers["content-type"] = "application/problem+json"
    return response
