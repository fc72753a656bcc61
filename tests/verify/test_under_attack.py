"""What a caller, a slow broker or a slip of the service's author must not reach."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from broker.testing import FrozenClock
from broker.verify import (
    Introspection,
    NotVerifiable,
    Reason,
    TokenRefused,
    VerifiedToken,
    Verifier,
    asgi,
    starlette,
    wsgi,
)
from broker.verify.flask import require_token
from broker.verify.issuer_keys import IssuerKeys
from broker.verify.remembered_tokens import RememberedTokens
from tests.verify.publishing import AUDIENCE, NOW, Publisher, publishing, signing_key, token
from tests.verify.test_issuer_keys import eventually, fresh


def numbered(publisher: Publisher, number: int, **claims: Any) -> str:
    return token(signing_key("ES256"), publisher.url, jti=f"j-{number}", **claims)


def test_a_removed_key_counts_no_longer_for_tokens_that_came_late(
    verifier: Verifier, publisher: Publisher, clock: FrozenClock
) -> None:
    verifier.verify(fresh(clock, publisher))
    clock.advance(230)
    late = fresh(clock, publisher)
    verifier.verify(late)
    publisher.publish(signing_key("ES256", "second"))
    clock.advance(80)

    # Remembered or not, it is the keys' five minutes that count.
    verifier.verify(late)
    eventually(lambda: len(publisher.requests) == 2 and verifier._keys.generation == 2)
    with pytest.raises(TokenRefused):
        verifier.verify(late)


def test_who_sees_the_new_generation_sees_the_new_keys() -> None:
    old, new = signing_key("ES256"), signing_key("ES256", "second")
    documents = [Publisher.jwks(old), Publisher.jwks(new)]
    seen: list[object] = []

    class Watched(IssuerKeys):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "generation" and value == 2:
                seen.append(self._keys.get(old.key_id))

    clock = FrozenClock(NOW)
    keys = Watched(lambda: documents.pop(0), clock=clock.now)
    keys.find(old.key_id)
    clock.advance(31)
    keys.find(new.key_id)
    assert seen == [None]


def test_a_token_of_earlier_keys_does_not_slip_in_among_those_of_later_ones() -> None:
    """A thread that was slow to remember one, while another began to remember by other keys."""
    old = VerifiedToken({"client_id": "old"}, frozenset(), int(NOW) + 3600)
    remembered = RememberedTokens()
    remembered.keep(b"first", old, 1, NOW, NOW)

    class Slow(int):
        def __ne__(self, other: object) -> bool:
            same = int(self) == other
            # Here the other thread comes between.
            remembered.keep(b"other", old, 2, NOW, NOW)
            return not same

        __hash__ = int.__hash__

    remembered.keep(b"old", old, Slow(1), NOW, NOW)
    assert remembered.find(b"old", 2, NOW) is None


def test_many_threads_may_remember_at_once() -> None:
    verified = VerifiedToken({"client_id": "web"}, frozenset(), int(NOW) + 3600)
    remembered = RememberedTokens(most=2)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def keep(name: int) -> None:
        for number in range(8_000):
            remembered.keep(b"%d %d" % (name, number), verified, 1, NOW, NOW)

    try:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(keep, range(4)))
    finally:
        sys.setswitchinterval(before)


def test_a_clock_that_is_set_back_does_not_prolong_the_life_of_a_remembered_token(
    verifier: Verifier, publisher: Publisher, clock: FrozenClock
) -> None:
    short = token(signing_key("ES256"), publisher.url, exp=int(NOW) + 15)
    verifier.verify(short)
    clock.advance(-200)

    with pytest.raises(TokenRefused) as refused:
        verifier.verify(short)
    assert refused.value.reason is Reason.TOKEN_NOT_YET_VALID


def test_what_one_request_does_to_its_caller_the_next_one_does_not_see(
    verifier: Verifier, publisher: Publisher
) -> None:
    text = token(signing_key("ES256"), publisher.url, metadata={"team": "web"})
    caller: Any = verifier.verify(text)
    caller.claims["client_id"] = "root"
    caller.claims["metadata"]["team"] = "root"
    caller.metadata["team"] = "root"
    for name, value in (("scopes", frozenset({"admin"})), ("expires_at", 2**50)):
        with pytest.raises(AttributeError):
            setattr(caller, name, value)

    again = verifier.verify(text)
    assert again.client_id == "deploy-web"
    assert again.metadata == {"team": "web"}
    assert again.claims["metadata"] == {"team": "web"}
    assert json.dumps(again.claims)


def test_who_waits_for_the_keys_waits_no_longer_than_a_fetch_may_take(
    clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking a name up knows no time limit, nor does a thread that died with a fork."""
    monkeypatch.setattr("broker.verify.running_fetch.WAIT_SECONDS", 0.2)
    never, fetches = threading.Event(), []

    def fetch() -> bytes:
        fetches.append(1)
        never.wait(100)
        return b""

    keys = IssuerKeys(fetch, clock=clock.now)
    with ThreadPoolExecutor(8) as threads:
        for each in [threads.submit(keys.find, "x") for _ in range(8)]:
            with pytest.raises(NotVerifiable):
                each.result(timeout=60)
    assert len(fetches) == 1
    never.set()


async def test_an_event_loop_spends_no_threads_on_a_crowd_that_waits_for_the_keys(
    clock: FrozenClock,
) -> None:
    key = signing_key("ES256")
    gate, fetches = threading.Event(), []

    def fetch() -> bytes:
        fetches.append(1)
        assert gate.wait(60)
        return Publisher.jwks(key)

    keys = IssuerKeys(fetch, clock=clock.now)
    crowd = asyncio.gather(*(keys.find_async(key.key_id) for _ in range(64)))
    await asyncio.sleep(0)
    # Others need them: for looking up names, for files.
    await asyncio.to_thread(gate.set)

    assert {each.key_id for each in await crowd} == {key.key_id}
    assert len(fetches) == 1


async def test_an_event_loop_that_is_told_to_stop_waiting_stops(
    verifier: Verifier, publisher: Publisher
) -> None:
    publisher.delay = 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(verifier.verify_async(numbered(publisher, 1)), 0.05)
    publisher.delay = 0
    assert (await verifier.verify_async(numbered(publisher, 2))).client_id == "deploy-web"
    assert len(publisher.requests) == 1


@pytest.mark.parametrize("kind", ["verify", "verify_async"])
async def test_a_token_of_another_kind_causes_no_fetch(
    kind: str, verifier: Verifier, publisher: Publisher
) -> None:
    other = token(signing_key("ES256"), publisher.url, header={"typ": "JWT", "kid": "x"})

    async def present() -> None:
        if kind == "verify":
            verifier.verify(other)
        else:
            await verifier.verify_async(other)

    with pytest.raises(TokenRefused) as refused:
        await present()
    assert refused.value.reason is Reason.WRONG_TYPE
    assert publisher.requests == []


FORKED = """
import os, threading, time
from broker.verify.issuer_keys import IssuerKeys
from broker.verify import NotVerifiable

begun, never = threading.Event(), threading.Event()
def fetch():
    if os.getpid() == parent:
        begun.set()
        never.wait(100)
    return b'{"keys": []}'
parent = os.getpid()
keys = IssuerKeys(fetch)
threading.Thread(target=lambda: keys.find("x"), daemon=True).start()
begun.wait(60)
child = os.fork()
if child == 0:
    try:
        keys.find("x")
    except NotVerifiable:
        os._exit(7 if keys._failures else 8)
    os._exit(9)
for _ in range(500):
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid:
        os._exit(os.waitstatus_to_exitcode(status))
    time.sleep(0.1)
os.kill(child, 9)
os._exit(1)
"""


def test_a_process_that_was_forked_while_keys_were_fetched_fetches_its_own() -> None:
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], check=False, timeout=60)
    assert ended.returncode == 7


@pytest.mark.parametrize(
    "options",
    [
        {"leeway": float("nan")},
        {"leeway": float("inf")},
        {"leeway": -1.0},
        {"leeway": 86_400.0},
        {"issuer": "https://broker.example.com/"},
        {"issuer": "https://:hunter2@broker.example.com"},
        {"issuer": "https://broker.example.com:x"},
        {"issuer": "https://broker.example.com\n"},
    ],
    ids=str,
)
def test_options_by_which_nothing_or_everything_would_count_are_refused(
    options: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match=r"."):
        Verifier(**{"issuer": "https://broker.example.com", "audience": AUDIENCE, **options})


def test_the_password_of_a_url_is_in_no_error() -> None:
    for url in ("https://me:hunter2@broker.example.com", "https://:hunter2@broker.example.com"):
        with pytest.raises(ValueError, match="https") as refused:
            Verifier(url, audience=AUDIENCE)
        assert "hunter2" not in str(refused.value)


def test_a_service_that_asks_brings_credentials() -> None:
    for credentials in (("", "x"), ("gateway", "")):
        with pytest.raises(ValueError, match="client"):
            Introspection(*credentials)


@pytest.mark.parametrize("middleware", [asgi.RequireToken, wsgi.RequireToken])
@pytest.mark.parametrize("paths", ["/healthz", ["healthz"], [""]], ids=str)
def test_a_slip_in_the_excepted_paths_opens_none(
    middleware: Callable[..., object], paths: Any, verifier: Verifier
) -> None:
    # A text is a collection too: of "/", the first of its characters, for one.
    with pytest.raises(ValueError, match="except_paths"):
        middleware(None, verifier, except_paths=paths)


@pytest.mark.parametrize(
    "scopes", [[""], ["deploy:read deploy:write"], [["deploy:read"]], ["déploy"], [None]], ids=str
)
def test_a_slip_in_the_scopes_is_told_when_the_service_starts(
    scopes: list[Any], verifier: Verifier
) -> None:
    middlewares: list[Callable[..., object]] = [asgi.RequireToken, wsgi.RequireToken]
    for middleware in middlewares:
        with pytest.raises(ValueError, match="no scope"):
            middleware(None, verifier, *scopes)
    for before_a_view in (starlette.RequireToken, require_token):
        with pytest.raises(ValueError, match="no scope"):
            before_a_view(verifier, *scopes)


async def test_a_connection_of_a_kind_that_nobody_knows_yet_does_not_come_in(
    verifier: Verifier,
) -> None:
    came: list[object] = []

    async def app(scope: asgi.Scope, _receive: asgi.Receive, _send: asgi.Send) -> None:
        came.append(scope["type"])

    async def nothing(*_: object) -> Any:
        return {}

    scope: dict[str, object] = {"type": "webtransport", "path": "/", "headers": []}
    guarded = asgi.RequireToken(app, verifier)
    with pytest.raises(ValueError, match="webtransport"):
        await guarded(scope, nothing, nothing)
    assert came == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"active": true}' + b" " * 100_000),
        (200, b'{"active": 1}'),
        (200, b'{"active": "true"}'),
        (200, b"{}"),
        (200, b"[]"),
        (200, b'{"active": false, "active": true}'),
        (302, b'{"active": true}'),
        (401, b'{"active": true}'),
        (500, b'{"active": true}'),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_only_a_plain_yes_of_the_broker_counts(status: int, body: bytes) -> None:
    with publishing(signing_key("ES256")) as publisher:
        publisher.status, publisher.document = status, body
        with pytest.raises((TokenRefused, NotVerifiable)):
            Introspection("gateway", "s").require_active(publisher.url, "token")


@contextmanager
def trickling() -> Iterator[str]:
    """Serve answers that never end, a byte now and then."""
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            try:
                while not stop.wait(0.05):
                    self.wfile.write(b" ")
            except OSError:
                return

        do_POST = do_GET  # noqa: N815 - as the standard library looks for it

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


async def test_a_broker_that_answers_byte_by_byte_ties_nobody_up(
    clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.verify.key_fetch.FETCH_SECONDS", 0.3)
    monkeypatch.setattr("broker.verify.introspection.ASK_SECONDS", 0.3)
    with trickling() as url:
        verifier = Verifier(url, audience=AUDIENCE, clock=clock.now)
        with pytest.raises(NotVerifiable):
            verifier.verify(token(signing_key("ES256"), url))
        asks = Introspection("gateway", "secret")
        with pytest.raises(NotVerifiable):
            asks.require_active(url, "token")
        with pytest.raises(NotVerifiable):
            await asks.require_active_async(url, "token")


def test_nothing_for_this_machine_goes_through_a_proxy(
    clock: FrozenClock, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without TLS whoever stands between could sign in the broker's place, and read secrets."""
    with publishing(signing_key("ES256", "of the proxy")) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        verifier = Verifier(publisher.url, audience=AUDIENCE, clock=clock.now)
        assert verifier.verify(fresh(clock, publisher)).client_id == "deploy-web"
        with pytest.raises((TokenRefused, NotVerifiable)):
            Introspection("gateway", "secret").require_active(publisher.url, "token")
        assert proxy.requests == []
