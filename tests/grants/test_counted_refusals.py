"""Counted refusals reach the ledger when their minute has ended, and survive its troubles."""

import asyncio
import logging
from contextlib import suppress

import pytest

from broker.core.errors import Reason
from broker.core.refusal_counts import MAX_EVENTS_PER_WINDOW, RefusalCounts
from broker.grants.counted_refusals import CountedRefusals
from broker.testing import FrozenClock
from tests.advancing_loop import advance, run
from tests.grants.ports_in_memory import InMemoryLedger, NumberedIdentifiers


def counted() -> tuple[CountedRefusals, InMemoryLedger, FrozenClock]:
    clock, ledger = FrozenClock(600), InMemoryLedger()
    return CountedRefusals(RefusalCounts(NumberedIdentifiers().new), ledger, clock), ledger, clock


def count(refusals: CountedRefusals, reason: Reason = Reason.MALFORMED_TOKEN) -> str:
    return refusals.counts.count(reason, "192.0.2.7", refusals.clock.now())


async def test_a_count_is_written_when_its_minute_has_ended() -> None:
    refusals, ledger, clock = counted()
    decision_id = count(refusals)
    count(refusals)

    await refusals.write_ended()
    assert ledger.events == []
    clock.advance(60)
    await refusals.write_ended()

    (event,) = ledger.events
    assert (event.id, event.count, event.reason) == (decision_id, 2, "malformed_token")


async def test_a_stop_writes_the_running_minute_as_well() -> None:
    refusals, ledger, _clock = counted()
    count(refusals)
    count(refusals, Reason.SIGNATURE_INVALID)

    await refusals.write_all()

    assert [event.reason for event in ledger.events] == ["malformed_token", "signature_invalid"]


async def test_what_a_store_in_trouble_does_not_take_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals, ledger, clock = counted()
    first = count(refusals)
    clock.advance(60)
    ledger.in_trouble = True
    with caplog.at_level(logging.WARNING):
        await refusals.write_ended()
    second = count(refusals)
    clock.advance(60)
    ledger.in_trouble = False

    await refusals.write_ended()

    assert [event.id for event in ledger.events] == [first, second]
    assert "1 counted refusals" in caplog.text


async def test_a_store_that_stays_away_does_not_fill_the_memory() -> None:
    refusals, ledger, clock = counted()
    ledger.in_trouble = True
    for minute in range(3):
        for address in range(MAX_EVENTS_PER_WINDOW // 2):
            refusals.counts.count(
                Reason.MALFORMED_TOKEN, f"10.{minute}.{address // 256}.{address % 256}", clock.now()
            )
        clock.advance(60)
        await refusals.write_ended()
    ledger.in_trouble = False

    await refusals.write_ended()

    assert len(ledger.events) == MAX_EVENTS_PER_WINDOW
    assert ledger.events[0].client_address == "10.1.0.0"


def test_ended_counts_are_written_every_second_while_the_broker_serves() -> None:
    async def serve_for_a_second() -> InMemoryLedger:
        refusals, ledger, clock = counted()
        count(refusals)
        clock.advance(60)
        serving = asyncio.create_task(refusals.run())
        await asyncio.sleep(0)
        advance(1.0)
        await ledger.committed.wait()
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
        return ledger

    assert len(run(serve_for_a_second()).events) == 1
