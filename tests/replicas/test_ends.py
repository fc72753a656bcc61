"""A replica ends, or is cut off from the store; the other goes on as if nothing were."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.workers.supervisor import STOP_SECONDS
from tests.redis_server import RedisServer, redis_server
from tests.redis_store.wire import Wire, wire_to
from tests.replicas.several_brokers import (
    Replica,
    a_replica_home,
    a_token,
    an_operator,
    replicas,
)
from tests.workers.several_workers import form, until
from tests.workers.test_deaths import HalfARequest, is_refused


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="module")
def other(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """The replica that goes on."""
    home = a_replica_home(tmp_path_factory.mktemp("other") / "home", server.url)
    with replicas([home], [1]) as [running]:
        yield running


@pytest.fixture(scope="module")
def key(other: Replica) -> str:
    """The API key of an operator."""
    return an_operator(other)


def token_ids(replica: Replica, key: str) -> set[str]:
    """Read the ids of all tokens that were issued."""
    found: set[str] = set()
    cursor = ""
    while True:
        query = f"audit-logs?type=token.exchanged&limit=200{cursor}"
        page = replica.api(key, "GET", query).json()
        found |= {each["token_id"] for each in page["items"]}
        if not page.get("next_cursor"):
            return found
        cursor = f"&cursor={page['next_cursor']}"


@dataclass
class Load:
    """Exchanges without end at one replica, and what was acknowledged."""

    replica: Replica
    spent: dict[str, str] = field(default_factory=dict)
    """CI token → id of the service token that it was exchanged for."""

    refused: list[httpx.Response] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator["Load"]:
        stop = threading.Event()

        def ask() -> None:
            with httpx.Client(base_url=self.replica.url, trust_env=False, timeout=60) as http:
                while not stop.is_set():
                    token = a_token()
                    try:
                        answer = http.post("/oauth/token", data=form(token))
                    except httpx.TransportError:
                        # It was under way in the replica that was killed, or came after.
                        stop.wait(0.05)
                        continue
                    if answer.is_success:
                        self.spent[token] = answer.json()["token_id"]
                    else:
                        self.refused.append(answer)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for each in threads:
            each.start()
        try:
            yield self
        finally:
            stop.set()
            for each in threads:
                each.join()

    def goes_on(self) -> None:
        """Wait until some more were acknowledged."""
        enough = len(self.spent) + 15
        until(lambda: len(self.spent) >= enough)


def test_what_a_killed_replica_has_acknowledged_holds_at_the_other(
    tmp_path: Path, server: RedisServer, other: Replica, key: str
) -> None:
    with replicas([a_replica_home(tmp_path / "one", server.url)], [1]) as [one]:
        revoked = one.token("reader", "broker")
        with Load(one).running() as at_one, Load(other).running() as at_other:
            at_one.goes_on()
            assert one.http.post("/oauth/revoke", data={"token": revoked}).status_code == 200
            body = {"where": {"run_id": "777"}, "reason": "INC-7"}
            assert one.api(key, "POST", "blocks", json=body).status_code == 201
            one.running.process.kill()
            at_other.goes_on()

        assert at_one.refused == at_other.refused == []
        answers = [other.exchange(token) for token in [*at_one.spent][-20:]]
        assert {each.json().get("reason") for each in answers} == {"token_already_used"}
        assert {*at_one.spent.values(), *at_other.spent.values()} <= token_ids(other, key)
        assert other.api(revoked, "GET", "service-accounts").status_code == 401
        assert other.exchange(a_token(run_id="777")).json()["reason"] == "blocked"
        assert other.api(key, "POST", "audit-logs/verify").json()["ok"]


def test_a_replica_that_is_ended_answers_what_is_under_way_and_takes_nothing_more(
    tmp_path: Path, server: RedisServer, other: Replica, key: str
) -> None:
    with replicas([a_replica_home(tmp_path / "one", server.url)], [2]) as [one]:
        under_way = [HalfARequest(one.url, form(a_token())) for _ in range(4)]
        idle = httpx.Client(base_url=one.url, trust_env=False, timeout=60)
        assert idle.get("/healthz").status_code == 200
        with Load(other).running() as at_other:
            one.running.process.terminate()
            for worker in (0, 1):
                one.running.said("Shutting down", worker=worker)
            # What was open without a request is closed, and nothing new is taken.
            until(lambda: is_refused(one.url))
            with pytest.raises(httpx.TransportError):
                idle.post("/oauth/token", data=form(a_token()))
            answers = [each.completed() for each in under_way]
            at_other.goes_on()

            assert one.running.process.wait(timeout=STOP_SECONDS) == 0
            at_other.goes_on()
        idle.close()

        assert {each.partition(b"\r\n")[0] for each in answers} == {b"HTTP/1.1 200 OK"}
        assert all(b"connection: close" in each.lower() for each in answers)
        issued = {json.loads(each.partition(b"\r\n\r\n")[2])["token_id"] for each in answers}
        assert issued <= token_ids(other, key)
        assert at_other.refused == []
        assert other.api(key, "POST", "audit-logs/verify").json()["ok"]
        assert not one.running.find("Traceback")
        # The last that it prints are its own events, and a signed head behind them.
        assert one.running.printed()[-1]["type"] == "audit.head"


async def test_a_replica_that_is_cut_off_refuses_while_the_other_serves_and_catches_up(
    tmp_path: Path, server: RedisServer, other: Replica, key: str
) -> None:
    async with wire_to(server.port) as wire:
        home = a_replica_home(tmp_path / "one", f"{wire.url}/0")
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(cut_off, home, wire, loop, other, key)


def cut_off(
    home: Path, wire: Wire, loop: asyncio.AbstractEventLoop, other: Replica, key: str
) -> None:
    def wired(*, whole: bool) -> None:
        asyncio.run_coroutine_threadsafe(wire.lay(whole=whole), loop).result(timeout=60)

    with replicas([home], [1]) as [one]:
        token = a_token()
        assert [each.ready()[0] for each in (one, other)] == [200, 200]

        wired(whole=False)

        refusals: list[tuple[httpx.Response, dict[str, Any]]] = [
            (one.exchange(token), {"error": "temporarily_unavailable"}),
            (one.api(key, "GET", "service-accounts"), {"code": "UNAVAILABLE"}),
        ]
        for answer, members in refusals:
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert members.items() <= answer.json().items()
        assert one.exchange(token).json()["reason"] == "store_unavailable"
        assert one.ready() == (503, "unready")
        assert one.http.get("/healthz").status_code == 200
        # What it can tell from memory it tells.
        assert one.key_ids() == other.key_ids()
        assert other.ready() == (200, "ready")
        assert other.exchange(token).status_code == 200
        body = {"where": {"run_id": "778"}, "reason": "INC-7"}
        assert other.api(key, "POST", "blocks", json=body).status_code == 201

        wired(whole=True)

        until(lambda: one.ready() == (200, "ready"))
        assert one.exchange(token).json()["reason"] == "token_already_used"
        assert one.exchange(a_token(run_id="778")).json()["reason"] == "blocked"
        assert one.exchange().status_code == 200
        assert other.api(key, "POST", "audit-logs/verify").json()["ok"]


def test_a_rolling_update_leaves_no_job_without_its_token(
    tmp_path: Path, server: RedisServer
) -> None:
    """Each job asks with one CI token, and asks the next replica when one does not answer."""
    serving: list[str] = []
    answers: list[httpx.Response] = []
    stop = threading.Event()

    def a_job(http: httpx.Client) -> httpx.Response:
        fields = form(a_token())
        for turn in range(1000):
            url = serving[turn % len(serving)]
            try:
                return http.post(f"{url}/oauth/token", data=fields)
            except httpx.TransportError:
                stop.wait(0.01)
        raise AssertionError("nobody answers")

    def jobs() -> None:
        # A connection that is kept could end while a request is on its way.
        each_its_own = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(limits=each_its_own, trust_env=False, timeout=60) as http:
            while not stop.is_set():
                answers.append(a_job(http))

    def goes_on() -> None:
        enough = len(answers) + 10
        until(lambda: len(answers) >= enough)

    with ExitStack() as stack:

        def started(name: str) -> Replica:
            home = a_replica_home(tmp_path / name, server.url)
            [running] = stack.enter_context(replicas([home], [1]))
            serving.append(running.url)
            return running

        old = started("old")
        threads = [threading.Thread(target=jobs) for _ in range(2)]
        for each in threads:
            each.start()
        try:
            started("new")
            goes_on()
            old.running.process.terminate()
            assert old.running.process.wait(timeout=STOP_SECONDS) == 0
            serving.remove(old.url)
            goes_on()
        finally:
            stop.set()
            for each in threads:
                each.join()

    # Whoever had no answer was not served either: the token would be spent.
    assert {each.status_code for each in answers} == {200}
