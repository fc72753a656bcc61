"""When client secrets were last used is noted now and then, and never at the cost of a request."""

import asyncio
import logging

import pytest

from broker.core.errors import Reason, Unavailable
from broker.grants.last_uses import MAX_NOTED, WRITE_EVERY, LastUses
from tests import advancing_loop


class Notes:
    """Keeps what is noted, unless it is out of reach."""

    def __init__(self) -> None:
        self.kept: list[dict[str, dict[str, float]]] = []
        self.out_of_reach = False
        self.meanwhile: LastUses | None = None

    async def note_uses(self, uses: dict[str, dict[str, float]]) -> None:
        given = {name: dict(each) for name, each in uses.items()}
        if self.meanwhile is not None:
            self.meanwhile.note("cron", "s-2", 9.0)
        if self.out_of_reach:
            raise Unavailable(Reason.STORE_UNAVAILABLE, "gone")
        self.kept.append(given)


async def test_uses_are_written_once() -> None:
    notes = Notes()
    uses = LastUses(notes)
    uses.note("cron", "s-1", 1.0)
    uses.note("cron", "s-1", 2.0)
    await uses.write()
    await uses.write()

    assert notes.kept == [{"cron": {"s-1": 2.0, "cron": 2.0}}]


async def test_a_use_of_a_key_is_one_of_its_account() -> None:
    notes = Notes()
    uses = LastUses(notes)
    uses.note("signer", None, 1.0)
    await uses.write()

    assert notes.kept == [{"signer": {"signer": 1.0}}]


async def test_what_the_store_does_not_take_is_written_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notes = Notes()
    notes.out_of_reach = True
    uses = LastUses(notes)
    uses.note("cron", "s-1", 1.0)
    with caplog.at_level(logging.WARNING):
        await uses.write()
    notes.out_of_reach = False
    await uses.write()

    assert len(caplog.messages) == 1
    assert notes.kept == [{"cron": {"s-1": 1.0, "cron": 1.0}}]


async def test_what_is_noted_while_it_is_written_is_not_lost() -> None:
    notes = Notes()
    uses = LastUses(notes)
    notes.meanwhile = uses
    uses.note("cron", "s-1", 1.0)
    await uses.write()
    notes.meanwhile = None
    await uses.write()

    assert notes.kept == [
        {"cron": {"s-1": 1.0, "cron": 1.0}},
        {"cron": {"s-2": 9.0, "cron": 9.0}},
    ]


async def test_what_is_noted_is_bounded() -> None:
    notes = Notes()
    uses = LastUses(notes)
    for number in range(MAX_NOTED + 1):
        uses.note(f"a-{number}", "s", 1.0)
    uses.note("a-0", "s", 2.0)
    await uses.write()

    assert len(notes.kept[0]) == MAX_NOTED
    assert notes.kept[0]["a-0"]["s"] == 2.0


def test_they_are_written_every_minute() -> None:
    async def scenario() -> list[dict[str, dict[str, float]]]:
        notes = Notes()
        uses = LastUses(notes)
        uses.note("cron", "s-1", 1.0)
        running = asyncio.create_task(uses.run())
        await asyncio.sleep(0)
        advancing_loop.advance(WRITE_EVERY + 1)
        await asyncio.sleep(0.01)
        running.cancel()
        return notes.kept

    assert advancing_loop.run(scenario()) == [{"cron": {"s-1": 1.0, "cron": 1.0}}]
