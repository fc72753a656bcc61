"""Services that trust a broker, each in its framework, over real HTTP."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, make_server

import fastapi
import flask
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from broker.testing.issuer_server import serving
from broker.testing.loopback import base_url, listen_on
from broker.verify import VerifiedToken, Verifier, asgi, wsgi
from broker.verify import fastapi as verify_fastapi
from broker.verify.flask import require_token

SCOPE: Final = "deploy:write"
METADATA: Final = "https://deploy.example.com/.well-known/oauth-protected-resource"
OPTIONS: Final[dict[str, Any]] = {"basic_allowed": True, "resource_metadata": METADATA}


def asgi_app(verifier: Verifier) -> Any:
    async def caller(request: Request) -> JSONResponse:
        return JSONResponse({"caller": request.state.service_token.client_id})

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    app = Starlette(routes=[Route("/", caller), Route("/healthz", health)])
    return asgi.RequireToken(app, verifier, SCOPE, except_paths=["/healthz"], **OPTIONS)


def fastapi_app(verifier: Verifier) -> Any:
    app = fastapi.FastAPI()
    require = verify_fastapi.RequireToken(verifier, SCOPE, **OPTIONS)

    @app.get("/")
    async def caller(token: Annotated[VerifiedToken, fastapi.Depends(require)]) -> dict[str, str]:
        return {"caller": token.client_id}

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def wsgi_app(verifier: Verifier) -> Any:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        token = environ.get(wsgi.ENVIRON)
        start_response("200 OK", [("content-type", "application/json")])
        said = {"status": "ok"} if token is None else {"caller": token.client_id}
        return [json.dumps(said).encode()]

    return wsgi.RequireToken(app, verifier, SCOPE, except_paths=["/healthz"], **OPTIONS)


def flask_app(verifier: Verifier) -> Any:
    app = flask.Flask("service")

    @app.get("/")
    @require_token(verifier, SCOPE, **OPTIONS)
    def caller() -> dict[str, str]:
        return {"caller": flask.g.service_token.client_id}

    @app.get("/healthz")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


@contextmanager
def service(framework: str, verifier: Verifier) -> Iterator[str]:
    """Serve one of them; gives its URL."""
    makes = {"asgi": asgi_app, "fastapi": fastapi_app, "wsgi": wsgi_app, "flask": flask_app}
    app = makes[framework](verifier)
    if framework in ("asgi", "fastapi"):
        with listen_on("127.0.0.1", 0) as bound, serving(app, bound):
            yield base_url(bound)
        return

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(timeout=10)


@contextmanager
def serving_websockets(app: Any) -> Iterator[str]:
    """Serve an ASGI application with a server that knows WebSockets; gives its URL."""
    config = uvicorn.Config(
        app, interface="asgi3", ws="websockets-sansio", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    with listen_on("127.0.0.1", 0) as bound:
        thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield base_url(bound)
        finally:
            server.should_exit = True
            thread.join(timeout=10)


FRAMEWORKS: Final = ("asgi", "fastapi", "wsgi", "flask")
