"""The description as a whole, made from the list of endpoints that the broker serves."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from broker.core.broker_service import BROKER_SCOPES
from broker.http.api.endpoint import ApiEndpoint, ByMethod
from broker.http.discovery import Document, cacheable, serialized
from broker.http.health import Readiness
from broker.http.oauth_endpoint import OAuthEndpoint
from broker.http.openapi.operations import JSON, OPERATIONS, Operation
from broker.http.openapi.schemas import SCHEMAS, ref

_IN_PATH: Final = re.compile(r"\{(\w+)\}")
_PROBLEM: Final = "application/problem+json"
_MEANINGS: Final = {
    200: "Done.",
    201: "Made. What is secret in the answer is shown this once.",
    204: "Done; there is nothing to say.",
    304: "Not modified: `If-None-Match` holds the `ETag`.",
    400: "The request is refused for its form, or by the decision.",
    401: "Credentials are missing or not good here.",
    403: "The credentials lack the scope.",
    404: "There is no such thing.",
    405: "The endpoint does not take this method.",
    408: "The body did not arrive in time.",
    409: "It contradicts what is there.",
    413: "The body is too large.",
    415: "The body is of another media type.",
    429: "There were too many requests; `Retry-After` says when to try again.",
    503: "Not now: the store or an issuer is out of reach.",
}
_REQUEST_ID: Final = {
    "X-Request-Id": {
        "description": "The id of the request, in logs and audit events too.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    }
}


class OpenApi:
    """Serves the description of the broker's routes; it never changes while the broker runs."""

    def __init__(self, issuer: str, routes: Iterable[BaseRoute]) -> None:
        """`issuer` is the URL below which the routes are, of which some may still be added."""
        self._issuer = issuer
        self._routes = routes
        self._document: Document | None = None

    async def serve(self, request: Request) -> Response:
        """Serve it, composed when somebody asks for the first time."""
        if self._document is None:
            self._document = serialized(_described(self._issuer, self._routes))
        return cacheable(request, self._document)


def operations_of(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, Route]]:
    """List the methods of routes; that GET means HEAD, too, goes without saying."""
    for route in routes:
        if isinstance(route, Route):
            methods = route.methods
            if isinstance(route.endpoint, OAuthEndpoint):
                methods = {"POST"}
            elif isinstance(route.endpoint, ByMethod):
                methods = set(route.endpoint.endpoints)
            for method in sorted((methods or set()) - {"HEAD"}):
                yield method, route


def _described(issuer: str, routes: Iterable[BaseRoute]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for method, route in operations_of(routes):
        # What is not described is not shown; a test says that nothing is left out.
        operation = OPERATIONS.get((method, route.path))
        if operation is not None:
            paths.setdefault(route.path, {})[method.lower()] = _operation(route, method, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ci-token-broker",
            # That of the API; which version of the broker runs is nobody's business.
            "version": "1",
            "description": "Exchanges the ID token of a CI job for a short-lived service token.",
        },
        "servers": [{"url": issuer}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "broker": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, or a service token of the broker's own service,"
                    " with the scope: "
                    + "; ".join(f"`{name}`: {text}" for name, text in BROKER_SCOPES.items()),
                },
                "client": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "The id and a secret of a service account, where the body has"
                    " neither a secret nor an assertion.",
                },
            },
        },
    }


def _operation(route: Route, method: str, operation: Operation) -> dict[str, Any]:
    endpoint: object = route.endpoint
    if isinstance(endpoint, ByMethod):
        endpoint = endpoint.endpoints[method]
    is_oauth = isinstance(endpoint, OAuthEndpoint)
    members: dict[str, Any] = {
        "operationId": _identifier(method, route.path),
        "summary": operation.summary,
        "tags": [operation.tag],
        "security": [],
    }
    errors = dict(operation.more)
    if isinstance(endpoint, ApiEndpoint):
        scopes = [each for each in (endpoint.scope, endpoint.or_scope) if each is not None]
        members["security"] = [{"broker": [scope]} for scope in scopes]
        errors |= dict.fromkeys((400, 401, 403, 429, 503), "Problem")
    if is_oauth:
        # Either will do: a CI job has no credentials, and they may be in the body.
        members["security"] = [{}, {"client": []}]
        errors |= dict.fromkeys((400, 401, 429, 503), "OAuthError")
    if isinstance(endpoint, Readiness):
        # Without credentials, the status alone.
        members["security"] = [{}, {"broker": [endpoint.detailed.scope]}]
        errors |= dict.fromkeys((400, 401, 403, 429), "Problem")
    if operation.bodies:
        errors |= dict.fromkeys((408, 413), "OAuthError" if is_oauth else "Problem")
        if not is_oauth:
            errors[415] = "Problem"
        members["requestBody"] = {
            "required": operation.body_required,
            "content": {media: {"schema": ref(name)} for media, name in operation.bodies.items()},
        }
    in_path = [_in_path(name) for name in _IN_PATH.findall(route.path)]
    if in_path or operation.parameters:
        members["parameters"] = [*in_path, *operation.parameters]
    errors[405] = "OAuthError" if is_oauth else "Problem"
    done = _answer(operation.status, operation.answer, operation.media)
    if operation.or_media is not None:
        done["content"][operation.or_media] = {"schema": ref(operation.answer)}
    answers = {str(operation.status): done}
    if operation.tag == "Discovery":
        answers["304"] = {"description": _MEANINGS[304], "headers": _REQUEST_ID}
    answers |= {str(status): _answer(status, errors[status]) for status in sorted(errors)}
    return members | {"responses": answers}


def _answer(status: int, shape: str, media: str = JSON) -> dict[str, Any]:
    described: dict[str, Any] = {"description": _MEANINGS[status], "headers": _REQUEST_ID}
    if shape:
        media = _PROBLEM if shape == "Problem" else media
        described["content"] = {media: {"schema": ref(shape)}}
    return described


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _identifier(method: str, path: str) -> str:
    words = path.replace("/api/v1/", "/").replace(".", "-").strip("/").replace("/", "-")
    words = _IN_PATH.sub(r"\1", words)
    return f"{method.lower()}-{words}"
