"""What is left of a broker when one of its processes is killed."""

import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx
import pytest

from tests.stores.entries import assert_chained
from tests.workers.several_workers import (
    BROKEN,
    SeveralWorkers,
    a_home,
    connections,
    form,
    several_workers,
    until,
)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SeveralWorkers]:
    with several_workers(a_home(tmp_path)) as running:
        yield running


class Load:
    """Exchanges without end, each over a connection of its own, and what was acknowledged."""

    def __init__(self, url: str) -> None:
        self.token_ids: list[str] = []
        self.refused: list[int] = []
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(3)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def goes_on(self) -> None:
        """Wait until some more were acknowledged."""
        enough = len(self.token_ids) + 10
        until(lambda: len(self.token_ids) >= enough)

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, trust_env=False, timeout=60) as client:
            while not self._stop.is_set():
                try:
                    answer = client.post("/oauth/token", data=form())
                except httpx.TransportError:
                    # It was under way in the process that was killed.
                    continue
                if answer.status_code == 200:
                    self.token_ids.append(answer.json()["token_id"])
                else:
                    self.refused.append(answer.status_code)


def test_a_killed_worker_comes_back_and_loses_nothing_acknowledged(broker: SeveralWorkers) -> None:
    with Load(broker.url) as load:
        for number in (1, 0, 1):
            load.goes_on()
            broker.kill(number)
            load.goes_on()

    assert load.refused == []
    assert broker.stop() == 0
    died = broker.find("a worker died")
    assert [(each["worker"], each["ended"]) for each in died] == [
        (1, "SIGKILL"), (0, "SIGKILL"), (1, "SIGKILL"),
    ]  # fmt: skip
    events = broker.events()
    assert_chained(events)
    assert set(load.token_ids) <= {each["token_id"] for each in events}


def test_the_duties_of_a_killed_leader_pass_to_its_successor(broker: SeveralWorkers) -> None:
    broker.kill(0)

    # The watch: a change is seen.
    broken = broker.home / "policies" / "broken.yaml"
    broken.write_text(BROKEN)
    broker.said("the policy files are not in force", actor="file change")
    broken.unlink()
    broker.said("the policy files are in force again")
    # SIGHUP: a reload that is meant.
    broker.write(minutes=7)
    broker.signal(signal.SIGHUP)
    broker.said("is in force", actor="SIGHUP")
    with connections(broker.url) as clients:
        lives = [
            client.post("/oauth/token", data=form()).json()["expires_in"] for client in clients
        ]
    assert lives == [7 * 60] * 4


def test_a_successor_does_not_take_what_only_a_start_of_the_broker_would(
    broker: SeveralWorkers,
) -> None:
    deny = broker.home / "policies" / "deny.yaml"
    deny.write_text("policies: {no-forks: {effect: deny, issuer: github, match: {ref: x}}}\n")
    broker.signal(signal.SIGHUP)
    broker.said("is in force", actor="SIGHUP")

    deny.unlink()
    broker.kill(0)

    broker.said("deny policies would be gone: `no-forks`")
    assert not broker.find("the deny policy 'no-forks' is gone")


def test_workers_end_with_their_supervisor_and_free_the_port(broker: SeveralWorkers) -> None:
    parts = urlsplit(broker.url)
    os.kill(broker.process.pid, signal.SIGKILL)
    broker.process.wait()

    broker.said("Finished server process", worker=0)
    broker.said("Finished server process", worker=1)
    until(lambda: is_free(str(parts.hostname), int(parts.port or 0)))


def is_free(host: str, port: int) -> bool:
    try:
        socket.create_server((host, port)).close()
    except OSError:
        return False
    return True


def test_a_worker_that_is_ended_from_outside_is_started_again(broker: SeveralWorkers) -> None:
    os.kill(broker.worker(1), signal.SIGTERM)

    broker.said("a worker was ended from outside", worker=1)
    broker.said("Started server process", worker=1, times=2)
    assert broker.stop() == 0


def is_refused(url: str) -> bool:
    """Tell whether nobody listens there."""
    parts = urlsplit(url)
    try:
        socket.create_connection((str(parts.hostname), int(parts.port or 0))).close()
    except ConnectionRefusedError:
        return True
    return False


class HalfARequest:
    """A request of which the last byte is missing."""

    def __init__(self, url: str, fields: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(url)
        body = httpx.Request("POST", url, data=fields or form()).read()
        self.connection = socket.create_connection((str(parts.hostname), int(parts.port or 0)))
        self.connection.sendall(
            b"POST /oauth/token HTTP/1.1\r\nHost: broker\r\nContent-Length: %d\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\n%s" % (len(body), body[:-1])
        )
        self._rest = body[-1:]

    def complete(self) -> bytes:
        """Send the rest and give the status line."""
        return self.completed().partition(b"\n")[0] + b"\n"

    def completed(self) -> bytes:
        """Send the rest and give all that comes until the connection ends."""
        self.connection.sendall(self._rest)
        with self.connection, self.connection.makefile("rb") as answer:
            return answer.read()


def test_requests_under_way_are_answered_before_the_end(broker: SeveralWorkers) -> None:
    requests = [HalfARequest(broker.url) for _ in range(4)]
    with connections(broker.url) as clients:
        for client in clients:
            client.get("/healthz")
    broker.signal(signal.SIGTERM)
    broker.said("Shutting down", worker=0)
    broker.said("Shutting down", worker=1)

    # Who comes now is refused, so that it can ask another broker; nobody waits for the end.
    until(lambda: is_refused(broker.url))
    assert {each.complete() for each in requests} == {b"HTTP/1.1 200 OK\r\n"}
    assert broker.process.wait(timeout=60) == 0
    assert broker.find("Finished server process")[-1]["worker"] in (0, 1)


def test_a_second_signal_ends_at_once(broker: SeveralWorkers) -> None:
    with HalfARequest(broker.url).connection:
        broker.signal(signal.SIGTERM)
        broker.said("Shutting down")
        broker.signal(signal.SIGINT)

        assert broker.process.wait(timeout=60) == 1
