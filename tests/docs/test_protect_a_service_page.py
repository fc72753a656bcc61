"""The page for services: each program on it runs, and lets in whom the page says."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import flask
import httpx
import pytest

from broker.testing.issuer_server import serving
from broker.testing.loopback import base_url, listen_on
from broker.verify import Introspection, Reason, VerifiedToken, Verifier
from tests.docs.markdown import Page
from tests.verify.publishing import Publisher, publishing, signing_key, token

PAGE = Page("docs/guides/protect-a-service.md")
BROKER = "https://broker.example.com"
PROGRAMS = [block.text for block in PAGE.blocks("python")]


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def publisher() -> Iterator[Publisher]:
    with publishing(signing_key("RS256")) as served:
        yield served


def run(program: str, publisher: Publisher) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "page"}
    exec(program.replace(BROKER, publisher.url), names)  # noqa: S102 - our own page
    return names


def now_token(publisher: Publisher, **claims: Any) -> str:
    now = int(time.time())
    return token(signing_key("RS256"), publisher.url, iat=now, nbf=now, exp=now + 600, **claims)


@contextmanager
def served(app: Any) -> Iterator[str]:
    if not isinstance(app, flask.Flask):
        with listen_on("127.0.0.1", 0) as bound, serving(app, bound):
            yield base_url(bound)
        return
    with make_server("127.0.0.1", 0, app, handler_class=QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(timeout=10)


@pytest.mark.parametrize("program", [each for each in PROGRAMS if "app = " in each])
def test_a_program_of_the_page_lets_in_whom_it_should(program: str, publisher: Publisher) -> None:
    def post(url: str, text: str | None) -> httpx.Response:
        headers = {} if text is None else {"authorization": f"Bearer {text}"}
        return httpx.post(url + "/deployments", headers=headers, trust_env=False, timeout=60)

    with served(run(program, publisher)["app"]) as url:
        good = post(url, now_token(publisher))
        assert (good.status_code, good.json()) == (200, {"deployed_for": "deploy-web"})
        assert post(url, None).status_code == 401
        assert post(url, now_token(publisher, aud="https://other.example.com")).status_code == 401
        assert post(url, now_token(publisher, scope="deploy:read")).status_code == 403


def test_the_function_of_the_page_says_what_it_says(publisher: Publisher) -> None:
    [program] = [each for each in PROGRAMS if "def serve" in each]
    serve = run(program, publisher)["serve"]

    assert serve(now_token(publisher)) == (200, "deployed for deploy-web")
    assert serve(now_token(publisher, scope=""))[0] == 403
    assert serve("x")[0] == 401


def test_a_verifier_that_asks_is_made_as_shown(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_GATEWAY_SECRET", "secret")
    [program] = [each for each in PROGRAMS if "Introspection" in each]
    names = run(program, publisher)

    assert isinstance(names["asks"], Introspection)
    assert isinstance(names["verifier"], Verifier)


def test_every_program_is_tried() -> None:
    tried = [each for each in PROGRAMS if "app = " in each or "def serve" in each or "asks" in each]

    assert tried == PROGRAMS


def test_every_reason_is_named_and_no_other() -> None:
    row = next(line for line in PAGE.text.splitlines() if line.startswith("| `TokenRefused`"))

    assert all(f"`{reason}`" in row for reason in Reason)
    assert row.count("`") // 2 == len(Reason) + 2


def test_every_member_of_a_caller_is_named() -> None:
    section = PAGE.section("Who calls")
    members = {name for name in dir(VerifiedToken) if not name.startswith("_")}

    assert all(f"`{name}`" in section for name in members)
