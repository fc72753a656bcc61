"""Lines between workers: who is asked answers, and nobody waits for who is gone."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from broker.messages import Message
from broker.workers.link import Link, Unanswered
from broker.workers.switchboard import Switchboard
from broker.workers.wire import Wire, WireCut
from broker.workers.words import OTHERS


class Office:
    """A switchboard that is served by the event loop, and the links of its workers."""

    def __init__(self) -> None:
        self.switchboard = Switchboard()
        self.links: dict[int, Link] = {}
        self.for_supervisor: list[tuple[int, str]] = []
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def hire(self, number: int, **handlers: Any) -> Link:
        ours, theirs = socket.socketpair()
        with theirs:
            link = self.links[number] = Link(number, theirs)
        for kind, handler in handlers.items():
            link.serve(kind, handler)
        self.switchboard.connect(number, Wire(ours))
        asyncio.get_running_loop().add_reader(ours, self._arrived, number)
        self._tasks[number] = asyncio.create_task(link.run())
        return link

    def fire(self, number: int) -> None:
        wire = self.switchboard.wires[number]
        asyncio.get_running_loop().remove_reader(wire.end)
        self.switchboard.disconnect(number)

    async def close(self) -> None:
        for number in list(self.switchboard.wires):
            self.fire(number)
        await asyncio.gather(*self._tasks.values())

    def _arrived(self, number: int) -> None:
        with suppress(WireCut):
            for message in self.switchboard.receive(number):
                self.for_supervisor.append((number, message.header["kind"]))
            return
        self.fire(number)


@asynccontextmanager
async def an_office() -> AsyncIterator[Office]:
    office = Office()
    try:
        yield office
    finally:
        await office.close()


def saying(word: str) -> Any:
    async def handle(message: Message) -> Mapping[str, Any]:
        return {"said": word, "asked": message.header["body"], "sizes": [len(message.parts)]}

    return handle


async def never(_message: Message) -> Mapping[str, Any]:
    await asyncio.Event().wait()
    return {}


async def failing(_message: Message) -> Mapping[str, Any]:
    raise ValueError("as the test asked")


async def test_one_or_all_others_are_asked() -> None:
    async with an_office() as office:
        asking = office.hire(0, word=saying("me"))
        office.hire(1, word=saying("one"))
        office.hire(2, word=saying("two"))

        [answer] = await asking.ask(2, "word", {"n": 1}, [b"x"], seconds=60)
        assert answer.header["body"] == {"said": "two", "asked": {"n": 1}, "sizes": [1]}
        answers = await asking.ask(OTHERS, "word", seconds=60)
        assert {each.header["body"]["said"] for each in answers} == {"one", "two"}


async def test_large_messages_pass() -> None:
    async with an_office() as office:
        asking = office.hire(0)

        async def handle(message: Message) -> Mapping[str, Any]:
            return {"size": len(message.parts[0])}

        office.hire(1, word=handle)
        sizes = [
            (await asking.ask(1, "word", None, [bytes(size)], seconds=60))[0].header["body"]["size"]
            for size in (0, 100_000)
        ]
        assert sizes == [0, 100_000]


async def test_nobody_waits_for_who_is_not_there_or_goes() -> None:
    async with an_office() as office:
        asking = office.hire(0)
        assert await asking.ask(7, "word", seconds=60) == []
        assert await asking.ask(OTHERS, "word", seconds=60) == []

        office.hire(1, word=never)
        office.hire(2, word=saying("two"))
        asked = asyncio.create_task(asking.ask(OTHERS, "word", seconds=60))
        await asyncio.sleep(0.05)
        office.fire(1)
        assert [each.header["body"]["said"] for each in await asked] == ["two"]


async def test_who_takes_too_long_is_not_waited_for() -> None:
    async with an_office() as office:
        office.hire(1, word=never)
        with pytest.raises(Unanswered, match="not answered within"):
            await office.hire(0).ask(1, "word", seconds=0.01)


async def test_who_fails_says_so_at_once() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: told.append(about))
    async with an_office() as office:
        office.hire(1, word=failing)
        with pytest.raises(Unanswered, match="failed"):
            await office.hire(0).ask(1, "word", seconds=60)
    asyncio.get_running_loop().set_exception_handler(None)


async def test_who_comes_later_hears_what_is_retained_first() -> None:
    heard: asyncio.Queue[int] = asyncio.Queue()

    async def hear(message: Message) -> Mapping[str, Any]:
        heard.put_nowait(message.header["body"]["n"])
        return {}

    async with an_office() as office:
        asking = office.hire(0)
        for number in (1, 2):
            await asking.ask(OTHERS, "word", {"n": number}, seconds=60, retained=True)
        office.hire(1, word=hear)
        assert await asyncio.wait_for(heard.get(), 60) == 2
        assert heard.empty()


async def test_a_word_for_the_supervisor_stays_there() -> None:
    async with an_office() as office:
        office.hire(1, word=saying("one"))
        asking = office.hire(0)
        asking.tell_supervisor("ready")
        await asking.ask(1, "word", seconds=60)
        assert office.for_supervisor == [(0, "ready")]


async def test_the_end_of_the_supervisor_is_noticed() -> None:
    async with an_office() as office:
        asking = office.hire(0)
        office.hire(1, word=never)
        asked = asyncio.create_task(asking.ask(1, "word", seconds=60))
        await asyncio.sleep(0.05)
        office.fire(0)
        with pytest.raises(Unanswered, match="the supervisor is gone"):
            await asked
        await asyncio.wait_for(asking.lost.wait(), 60)


async def test_who_does_not_read_is_cut_off_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("broker.workers.wire.MAX_WAITING_BYTES", 1_000_000)
    ours, theirs = socket.socketpair()
    wire = Wire(ours)
    message = Message({"kind": "word"}, [bytes(400_000)])
    with theirs, ours:
        wire.send(message)
        wire.send(message)
        with pytest.raises(WireCut):
            wire.send(Message({"kind": "word"}, [bytes(1_000_000)]))
        theirs.settimeout(60)
        while theirs.recv(1_000_000):
            pass
