"""Around every request: ids, headers, problems, and an answer when the broker itself fails."""

import asyncio
import json
import logging
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from broker.http.answers import Answer
from broker.http.api.service_accounts import PATH as ACCOUNTS
from broker.http.app import Endpoints, build_app
from broker.http.middleware import RequestEdge
from tests.http.asgi import Sent, a_scope, call, receiving
from tests.running_broker import RunningBroker

EVERYWHERE = [
    "/oauth/token",
    "/api/v1/auth/token",
    "/.well-known/jwks.json",
    "/.well-known/openid-configuration",
    "/healthz",
    "/readyz",
    "/no-such-place",
]


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_answer_has_the_harmless_headers(broker: RunningBroker, path: str) -> None:
    answer = broker.request("GET", path, headers={"origin": "https://evil.example"})

    assert len(answer.headers["x-request-id"]) == 36
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_answer_keeps_a_harmless_request_id(broker: RunningBroker, path: str) -> None:
    answer = broker.request("GET", path, headers={"x-request-id": "job-42"})

    assert answer.headers["x-request-id"] == "job-42"


@pytest.mark.parametrize("path", ["/", "/admin", "/healthz/", "/.well-known", "/docs", "/oauth"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_place_is_a_problem(broker: RunningBroker, method: str, path: str) -> None:
    answer = broker.request(method, path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is no such endpoint",
        "code": "NOT_FOUND",
        "instance": f"#{answer.headers['x-request-id']}",
    }


@pytest.mark.parametrize("path", ["/oauth/token/", "/oauth/authorize", "/api/v1/auth/login"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_place_among_those_of_oauth_is_an_oauth_error(
    broker: RunningBroker, method: str, path: str
) -> None:
    answer = broker.request(method, path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "error": "invalid_request",
        "error_description": "there is no such endpoint",
    }


@pytest.mark.parametrize("path", ["/healthz", "/.well-known/jwks.json"])
def test_a_method_that_a_place_does_not_take_is_a_problem(broker: RunningBroker, path: str) -> None:
    answer = broker.request("DELETE", path)

    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert "GET" in answer.headers["allow"]
    assert answer.json()["code"] == "INVALID_REQUEST"


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    """An app with a fault before it answers."""
    raise RuntimeError("the fault itself")


class Failing:
    """An endpoint with a fault, and with all that some have: `metadata`, `healthz` and so on."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await failing(scope, receive, send)

    def __getattr__(self, name: str) -> "Failing":
        return self


async def failing_late(scope: Scope, receive: Receive, send: Send) -> None:
    """An app with a fault in the middle of its answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("the fault itself")


async def test_a_fault_of_the_broker_is_logged_and_told_to_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent = await call(RequestEdge(failing, lambda: "drawn-id", {}), a_scope())

    assert sent.status == 500
    assert sent.headers[b"x-request-id"] == b"drawn-id"
    assert sent.headers[b"cache-control"] == b"no-store"
    assert b"server_error" in sent.body
    assert b"fault" not in sent.body
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "the fault itself" in caplog.text
    assert vars(record)["request_id"] == "drawn-id"


@pytest.mark.parametrize("prefix", ["", "/broker"])
@pytest.mark.parametrize("path", ["/oauth/token", "/api/v1/auth/token", "/api/v1/audit-logs"])
async def test_a_fault_is_answered_in_the_form_of_the_path(prefix: str, path: str) -> None:
    endpoints: Any = SimpleNamespace(**{each.name: Failing() for each in fields(Endpoints)})
    endpoints.accounts = {f"{ACCOUNTS}/{{client_id}}": Failing()}
    endpoints.blocks = {}
    app = build_app("https://broker.example/broker", endpoints, lambda: "drawn-id")

    for asked in (f"{prefix}{path}", f"{prefix}{ACCOUNTS}/nightly"):
        sent = await call(app, a_scope("GET", asked))

        assert sent.status == 500
        oauth = asked.endswith("/token")
        form = b"application/json" if oauth else b"application/problem+json"
        assert sent.headers[b"content-type"] == form
        assert (b"server_error" if oauth else b"UNAVAILABLE") in sent.body
        assert b"fault" not in sent.body


@pytest.mark.parametrize("path", ["/api/v1/keys", "/ci/broker/api/v1/keys", "/healthz"])
async def test_outside_oauth_a_fault_of_the_broker_is_a_problem(path: str) -> None:
    sent = await call(RequestEdge(failing, lambda: "drawn-id", {}), a_scope("GET", path))

    assert sent.status == 500
    assert sent.headers[b"content-type"] == b"application/problem+json"
    problem = json.loads(sent.body)
    assert (problem["code"], problem["instance"]) == ("UNAVAILABLE", "#drawn-id")


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/oauth/token", b"application/json"),
        ("/ci/broker/api/v1/auth/token", b"application/json"),
        ("/api/v1/keys", b"application/problem+json"),
    ],
)
async def test_who_cannot_be_served_now_is_told_in_the_form_of_the_path(
    path: str, media_type: bytes
) -> None:
    scope = a_scope(path=path, state={"overloaded": True})

    sent = await call(RequestEdge(failing, lambda: "drawn-id", {}), scope)

    assert sent.status == 503
    assert sent.headers[b"content-type"] == media_type
    assert sent.headers[b"retry-after"] == b"1"
    assert json.loads(sent.body).get("code", "UNAVAILABLE") == "UNAVAILABLE"


async def test_an_answer_that_has_begun_is_broken_off() -> None:
    sent = Sent()
    edge = RequestEdge(failing_late, lambda: "drawn-id", {})

    with pytest.raises(RuntimeError):
        await edge(a_scope(), receiving(), sent.send)

    assert [message["type"] for message in sent.messages] == ["http.response.start"]


async def test_a_busy_endpoint_may_be_reached_directly() -> None:
    seen: list[str] = []

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["path"])
        await Answer(200, b"")(scope, receive, send)

    edge = RequestEdge(failing, lambda: "drawn-id", {"/oauth/token": endpoint})

    assert (await call(edge, a_scope())).status == 200
    assert (await call(edge, a_scope(path="/oauth/tokens"))).status == 500
    assert seen == ["/oauth/token"]


async def test_what_is_no_request_passes_through() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await RequestEdge(app, lambda: "drawn-id", {})({"type": "lifespan"}, receiving(), Sent().send)

    assert seen == ["lifespan"]


async def test_a_request_that_is_given_up_at_the_end_is_worth_another_try() -> None:
    async def cancelled(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise asyncio.CancelledError

    sent = await call(RequestEdge(cancelled, lambda: "drawn-id", {}), a_scope())

    assert sent.status == 503
    assert sent.headers[b"retry-after"] == b"1"
