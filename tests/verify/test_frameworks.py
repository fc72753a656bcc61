"""A service answers who may come in, and says to all others what is missing (RFC 6750)."""

import asyncio
import base64
import http.client
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import fastapi
import flask
import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from broker.testing import FrozenClock
from broker.testing.issuer_server import serving
from broker.testing.loopback import base_url, listen_on
from broker.verify import InsufficientScope, NoToken, VerifiedToken, Verifier, asgi, starlette
from broker.verify.bearer import challenge, token_of
from broker.verify.fastapi import RequireToken
from broker.verify.flask import require_token
from tests.verify.publishing import AUDIENCE, Publisher, signing_key, token
from tests.verify.serving import FRAMEWORKS, METADATA, fastapi_app, service, serving_websockets


@pytest.fixture(params=FRAMEWORKS)
def url(request: pytest.FixtureRequest, verifier: Verifier) -> Iterator[str]:
    with service(request.param, verifier) as served:
        yield served


@pytest.fixture
def good(publisher: Publisher) -> str:
    return token(signing_key("ES256"), publisher.url)


def get(url: str, *authorization: str, method: str = "GET") -> httpx.Response:
    headers = [("authorization", each) for each in authorization]
    return httpx.request(method, url, headers=headers, trust_env=False, timeout=60)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_who_has_a_good_token_comes_in(url: str, good: str) -> None:
    for authorization in (f"Bearer {good}", f"bearer {good}", basic("oauth2", good)):
        answer = get(url, authorization)
        assert answer.status_code == 200
        assert answer.json() == {"caller": "deploy-web"}


def test_without_credentials_there_is_a_challenge_and_no_error_code(url: str) -> None:
    for authorization in ([], ["Negotiate abc"]):
        answer = get(url, *authorization)
        assert answer.status_code == 401
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith(f'Bearer realm="{AUDIENCE}", resource_metadata="{METADATA}"')
        assert "error" not in challenge
        assert f'Basic realm="{AUDIENCE}"' in challenge
        assert answer.headers["cache-control"] == "no-store"


def test_a_bad_token_is_told_why(url: str, publisher: Publisher, good: str) -> None:
    late = token(signing_key("ES256"), publisher.url, exp=1)
    for bad, told in (
        (good[:-6] + "AAAAAA", "signature"),
        (late, "expired"),
        ("x.y.z", "malformed"),
    ):
        answer = get(url, f"Bearer {bad}")
        assert answer.status_code == 401
        challenge = answer.headers["www-authenticate"]
        assert 'error="invalid_token"' in challenge
        assert told in challenge
        assert bad not in answer.text + challenge


def test_a_token_without_the_scope_is_told_which(url: str, publisher: Publisher) -> None:
    answer = get(url, "Bearer " + token(signing_key("RS256"), publisher.url, scope="deploy:read"))

    assert answer.status_code == 403
    challenge = answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="deploy:write"' in challenge


def test_credentials_that_can_be_read_in_two_ways_are_refused(url: str, good: str) -> None:
    for authorization in (
        [f"Bearer {good}", f"Bearer {good}"],
        [f"Bearer {good}, Bearer {good}"],
        ["Bearer"],
        [f"Bearer {good} x"],
        [basic("admin", good)],
        [basic("oauth2", "")],
        ["Basic !!!"],
    ):
        answer = get(url, *authorization)
        assert answer.status_code == 400, authorization
        assert 'error="invalid_request"' in answer.headers["www-authenticate"]


def test_while_nobody_can_tell_it_is_no_fault_of_the_caller_s(
    url: str, publisher: Publisher, good: str
) -> None:
    publisher.status = 503
    answer = get(url, f"Bearer {good}")

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "www-authenticate" not in answer.headers


def test_what_is_excepted_is_served_to_all(url: str) -> None:
    assert get(url + "/healthz").json() == {"status": "ok"}
    # By its exact path: what is routed alike is none of it.
    for path in ("/healthz/", "/healthz/x", "/healthzz", "/healthz;x"):
        assert get(url + path).status_code != 200


def test_a_refusal_of_a_head_request_has_no_body(url: str) -> None:
    answer = get(url, method="HEAD")

    assert answer.status_code in (401, 405)
    assert answer.content == b""


def test_basic_counts_only_where_it_is_allowed(
    publisher: Publisher, good: str, clock: FrozenClock
) -> None:
    with pytest.raises(NoToken):
        token_of([basic("oauth2", good)])


async def test_a_websocket_without_a_good_token_is_closed_before_it_opens(
    verifier: Verifier, publisher: Publisher, good: str
) -> None:
    came: list[object] = []
    sent: list[dict[str, object]] = []

    async def app(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        came.append(scope.get("state"))

    async def receive() -> dict[str, object]:
        return {}

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    guarded = asgi.RequireToken(app, verifier)
    scope = {"type": "websocket", "path": "/", "headers": []}
    await guarded(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert came == []

    shared = {"pool": 7}
    headers = [(b"authorization", f"Bearer {good}".encode())]
    await guarded(
        {"type": "websocket", "path": "/", "headers": headers, "state": shared}, receive, send
    )
    assert shared == {"pool": 7}
    [state] = came
    assert isinstance(state, dict)
    assert state["service_token"].client_id == "deploy-web"
    await guarded({"type": "lifespan"}, receive, send)
    assert len(came) == 2


def test_a_websocket_that_is_refused_is_told_why_where_the_server_can(
    verifier: Verifier, publisher: Publisher, good: str
) -> None:
    """Of a real server: an outage is no fault of the caller's here either."""

    async def greet(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": scope["state"]["service_token"].client_id})
        await send({"type": "websocket.close", "code": 1000})

    def come(url: str, text: str | None) -> str:
        headers = {} if text is None else {"authorization": f"Bearer {text}"}
        with connect("ws" + url.removeprefix("http"), additional_headers=headers) as socket:
            return str(socket.recv())

    app = asgi.RequireToken(greet, verifier, "deploy:write")
    with serving_websockets(app) as url:
        publisher.status = 500
        with pytest.raises(InvalidStatus) as refused:
            come(url, good)
        assert refused.value.response.status_code == 503
        with pytest.raises(InvalidStatus) as refused:
            come(url, None)
        assert refused.value.response.status_code == 401
        assert "www-authenticate" in refused.value.response.headers


def test_a_route_for_websockets_refuses_as_others_do(verifier: Verifier, good: str) -> None:
    app = fastapi.FastAPI()
    require = starlette.RequireToken(verifier, "deploy:write")

    @app.websocket("/")
    async def greet(
        socket: fastapi.WebSocket, token: Annotated[VerifiedToken, fastapi.Depends(require)]
    ) -> None:
        await socket.accept()
        await socket.send_text(token.client_id)
        await socket.close()

    with serving_websockets(app) as served:
        url = "ws" + served.removeprefix("http")
        with pytest.raises(InvalidStatus) as refused, connect(url):
            pass
        assert refused.value.response.status_code == 401
        with connect(url, additional_headers={"authorization": f"Bearer {good}"}) as socket:
            assert socket.recv() == "deploy-web"


def test_the_pages_of_an_api_show_that_a_token_is_needed(verifier: Verifier) -> None:
    app = fastapi_app(verifier)
    told = app.openapi()

    [(name, scheme)] = told["components"]["securitySchemes"].items()
    # As OpenAPI wants names of components.
    assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert told["paths"]["/"]["get"]["security"] != []
    assert "security" not in told["paths"]["/healthz"]["get"]


def test_a_route_of_fastapi_may_need_scopes_of_its_own(
    verifier: Verifier, publisher: Publisher
) -> None:
    app = fastapi.FastAPI()
    require = RequireToken(verifier, "deploy:read")
    inner = Annotated[VerifiedToken, fastapi.Security(require, scopes=["deploy:write"])]

    def within(caller: inner) -> VerifiedToken:
        return caller

    outer = Annotated[VerifiedToken, fastapi.Security(within, scopes=["deploy:end"])]

    @app.get("/inner")
    async def of_its_own(caller: inner) -> str:
        return caller.client_id

    @app.get("/outer")
    async def of_others_as_well(caller: outer) -> str:
        return caller.client_id

    @app.get("/plain")
    async def of_the_dependency_alone(
        caller: Annotated[VerifiedToken, fastapi.Depends(require)],
    ) -> str:
        return caller.client_id

    needed = {
        "/plain": ["deploy:read"],
        "/inner": ["deploy:read", "deploy:write"],
        "/outer": ["deploy:read", "deploy:write", "deploy:end"],
    }
    with listen_on("127.0.0.1", 0) as bound, serving(app, bound):
        for path, scopes in needed.items():
            url = base_url(bound) + path
            for count in range(4):
                held = ["deploy:read", "deploy:write", "deploy:end"][:count]
                scope = " ".join(held)
                answer = get(
                    url, "Bearer " + token(signing_key("ES256"), publisher.url, scope=scope)
                )
                assert answer.status_code == (200 if set(scopes) <= set(held) else 403), path
                if answer.status_code == 403:
                    challenge = answer.headers["www-authenticate"]
                    named = re.search('scope="([^"]*)"', challenge)
                    assert named is not None
                    assert set(named[1].split()) == set(scopes)


def test_views_of_flask_may_be_coroutines(verifier: Verifier, good: str) -> None:
    class App(flask.Flask):
        def async_to_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
            """Run one, as Flask does by a package of its own."""
            return lambda *args, **kwargs: asyncio.run(func(*args, **kwargs))

    app = App("service")

    @app.get("/")  # type: ignore[type-var] # Flask's types do not know of decorated ones
    @require_token(verifier)
    async def caller() -> str:
        return str(flask.g.service_token.client_id)

    client = app.test_client()
    assert client.get("/", headers={"authorization": f"Bearer {good}"}).text == "deploy-web"
    assert client.get("/").status_code == 401


@pytest.mark.parametrize(
    "audience",
    ['https://x", error="none', "https://x\r\nset-cookie: a=b", "https://é\u2603", "a\\", "\0"],
    ids=ascii,
)
def test_no_audience_and_no_message_breaks_a_challenge(audience: str) -> None:
    error = InsufficientScope(audience, audience)
    answer = challenge(error, audience, basic_allowed=True, resource_metadata=audience)
    for name, value in answer.headers:
        assert (name + value).isascii()
        assert (name + value).isprintable()
        assert value.count('"') in (0, 2, 10)
        assert "\\" not in value


async def test_the_state_of_one_request_is_not_that_of_another(
    verifier: Verifier, good: str
) -> None:
    seen: list[object] = []

    async def app(scope: asgi.Scope, _receive: asgi.Receive, _send: asgi.Send) -> None:
        seen.append(scope.get("state", {}).get(asgi.STATE))

    async def nothing(*_: object) -> Any:
        return {}

    guarded = asgi.RequireToken(app, verifier, except_paths=["/healthz"])
    scope: dict[str, object] = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": [(b"authorization", f"Bearer {good}".encode())],
    }
    before = dict(scope)
    await guarded(scope, nothing, nothing)
    assert scope == before
    await guarded({**scope, "path": "/healthz"}, nothing, nothing)
    assert seen[0] is not None
    assert seen[1] is None


SPELLINGS = (
    "//healthz",
    "/healthz/../",
    "/./healthz",
    "/healthz//",
    "/healthz%2f",
    "/healthz%3f",
    "/healthz%00",
    "/HEALTHZ",
    "/healthz;/../",
    "/healthz%252f",
    "/%2e/healthz",
    "/healthz%0a",
    "/healthz%20",
)


@pytest.mark.parametrize("framework", ["asgi", "wsgi"])
def test_no_spelling_of_another_path_is_the_excepted_one(
    framework: str, verifier: Verifier
) -> None:
    with service(framework, verifier) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        # The server of the standard library makes one slash of two before anybody sees the path.
        for path in SPELLINGS[framework == "wsgi" :]:
            for method in ("GET", "HEAD", "OPTIONS", "PROPFIND"):
                connection = http.client.HTTPConnection(host, int(port), timeout=60)
                connection.request(method, path)
                assert connection.getresponse().status == 401, path
                connection.close()
