"""When secrets were last used: noted in memory, written now and then, and never in the way."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from broker.core.errors import Reason, Unavailable
from broker.grants import last_uses
from broker.grants.last_uses import MAX_NOTED, LastUses


@dataclass
class Notes:
    """Takes what is written, unless it is `in_trouble`."""

    written: list[dict[str, dict[str, float]]] = field(default_factory=list)
    in_trouble: bool = False
    meanwhile: Callable[[], None] | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def note_uses(self, uses: dict[str, dict[str, float]]) -> None:
        if self.in_trouble:
            raise Unavailable(Reason.STORE_UNAVAILABLE, "no")
        self.written.append({client_id: dict(each) for client_id, each in uses.items()})
        if self.meanwhile is not None:
            self.meanwhile()
        self.done.set()


async def test_a_use_is_one_of_the_secret_and_of_its_account() -> None:
    notes = Notes()
    uses = LastUses(notes)
    uses.note("cron", "s-1", 10.0)
    uses.note("cron", "s-2", 20.0)
    uses.note("signer", None, 30.0)

    await uses.write()
    await uses.write()
    assert notes.written == [
        {"cron": {"s-1": 10.0, "s-2": 20.0, "cron": 20.0}, "signer": {"signer": 30.0}}
    ]


async def test_what_the_store_does_not_take_is_written_the_next_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notes = Notes(in_trouble=True)
    uses = LastUses(notes)
    uses.note("cron", "s-1", 10.0)
    await uses.write()
    assert "does not take" in caplog.text

    notes.in_trouble = False
    await uses.write()
    assert notes.written == [{"cron": {"s-1": 10.0, "cron": 10.0}}]


async def test_what_is_noted_meanwhile_is_not_lost() -> None:
    notes = Notes()
    uses = LastUses(notes)
    uses.note("cron", "s-1", 10.0)
    notes.meanwhile = lambda: uses.note("cron", "s-1", 20.0)
    await uses.write()
    notes.meanwhile = None

    await uses.write()
    assert notes.written[-1] == {"cron": {"s-1": 20.0, "cron": 20.0}}


async def test_a_crowd_fills_no_memory() -> None:
    notes = Notes()
    uses = LastUses(notes)
    for number in range(MAX_NOTED + 10):
        uses.note(f"m-{number}", "s", 1.0)
    uses.note("m-1", "s-1", 2.0)
    await uses.write()

    [written] = notes.written
    assert len(written) == MAX_NOTED
    assert written["m-1"]["s-1"] == 2.0


async def test_it_is_written_for_as_long_as_the_broker_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(last_uses, "WRITE_EVERY", 0.0)
    notes = Notes()
    uses = LastUses(notes)
    uses.note("cron", "s-1", 10.0)
    running = asyncio.create_task(uses.run())
    await notes.done.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
