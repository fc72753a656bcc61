"""Connections to one listening socket are shared evenly between those that serve on it."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from broker.serving.acceptor import Acceptor
from broker.workers.open_connections import OpenConnections


class Held(asyncio.Protocol):
    """A connection that stays."""

    transports: list[asyncio.BaseTransport]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transports.append(transport)


@contextmanager
def a_listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


async def clients(listener: socket.socket, count: int) -> list[asyncio.StreamWriter]:
    address = listener.getsockname()
    return [(await asyncio.open_connection(*address))[1] for _ in range(count)]


def holding(transports: list[asyncio.BaseTransport]) -> type[Held]:
    return type("Held", (Held,), {"transports": transports})


async def test_two_acceptors_get_as_many_each() -> None:
    counts = OpenConnections(3)
    counts.begin(0)
    counts.begin(1)
    with a_listener() as listener, listener.dup() as other:
        held: tuple[list[asyncio.BaseTransport], ...] = ([], [])
        acceptors = [
            Acceptor(each, holding(held[number]), counts, number)
            for number, each in enumerate((listener, other))
        ]
        writers = await clients(listener, 10)
        while sum(map(len, held)) < 10:  # noqa: ASYNC110 - a connection has no event here
            await asyncio.sleep(0.001)
        for acceptor in acceptors:
            acceptor.close()
            await acceptor.wait_closed()
        for transport in held[0] + held[1]:
            transport.close()
        for writer in writers:
            writer.close()
            await writer.wait_closed()

    assert abs(len(held[0]) - len(held[1])) <= 2


async def test_who_has_more_takes_it_after_all_when_the_other_is_stuck() -> None:
    counts = OpenConnections(2)
    counts.begin(0)
    counts.begin(1)
    counts.add(0, 5)
    held: list[asyncio.BaseTransport] = []
    with a_listener() as listener:
        acceptor = Acceptor(listener, holding(held), counts, 0)
        [writer] = await clients(listener, 1)
        while not held:  # noqa: ASYNC110 - a connection has no event here
            await asyncio.sleep(0.001)
        acceptor.close()
        held[0].close()
        writer.close()
        await writer.wait_closed()


async def test_who_has_no_file_left_waits_and_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.serving.acceptor.PAUSE_SECONDS", 0.01)
    counts = OpenConnections(1)
    counts.begin(0)
    held: list[asyncio.BaseTransport] = []

    class Full(socket.socket):
        full = True

        def accept(self) -> tuple[socket.socket, object]:
            if self.full:
                raise OSError(24, "Too many open files")
            return super().accept()

    with Full(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        acceptor = Acceptor(listener, holding(held), counts, 0)
        [writer] = await clients(listener, 1)
        while "Too many open files" not in caplog.text:  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.001)
        listener.full = False
        while not held:  # noqa: ASYNC110 - a connection has no event here
            await asyncio.sleep(0.001)
        acceptor.close()
        held[0].close()
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("numbers", "has_least"),
    [((0, 0), True), ((3, 2), False), ((2, 3), True), ((3, None), True), ((0, None), True)],
)
def test_only_those_that_serve_count(numbers: tuple[int, int | None], has_least: bool) -> None:
    counts = OpenConnections(2)
    for worker, number in enumerate(numbers):
        if number is not None:
            counts.begin(worker)
            counts.add(worker, number)

    assert counts.has_least(0) is has_least
