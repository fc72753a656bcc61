"""Moving the contents of a store to another place: written, read back, compared, then published."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from broker.copying.tally import Tallies
from broker.copying.verification import Advance, Proof, Verified, require_same, verify_contents
from broker.core.audit import AuditEvent, SerializedEvent
from broker.core.audit_chain import Position
from broker.core.errors import ConfigurationError, Problem
from broker.ports.contents import (
    EPOCH_LEAP,
    EVENTS,
    PARTS,
    ContentsReading,
    ContentsWriting,
    StoreChanged,
    StoreState,
)

TRIES: Final = 10
"""So often a store is read that changes meanwhile."""


@dataclass(frozen=True, slots=True)
class Succession:
    """What makes of a copy the store that goes on in place of another."""

    event: Callable[[StoreState], AuditEvent]
    """Makes the event that says so, given the state of before."""

    refused_until: Callable[[], Awaitable[int]]
    """Tells in the end up to which second of its issue what is for one use is refused; 0 when all
    that was used is known."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A store to be moved."""

    source: ContentsReading
    target: ContentsWriting
    shown: str
    """What messages name the target by."""

    proof: Proof | None
    on_events: Advance
    """Called with the numbers of events that were read, and of those that were verified."""

    async def run(self, succession: Succession | None = None) -> Verified:
        """Move the store; the target is one when this returns, and none when it raises.

        Raises `ConfigurationError`.
        """
        try:
            written, state = await self._written(succession)
            await self.source.close()
            await self.target.complete(state)
            verified = await self._verified(written)
            refused_until = 0 if succession is None else await succession.refused_until()
            await self._published(refused_until)
        finally:
            await self.source.close()
            await self.target.abandon()
        return verified

    async def _published(self, refused_until: int) -> None:
        """Publish, and wait for that whatever interrupts: whoever is told so finds no store."""
        # What interrupted before this moment ends here.
        await asyncio.sleep(0)
        publishing = asyncio.create_task(self.target.publish(refused_until))
        while not publishing.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait((publishing,))
        publishing.result()

    async def _written(self, succession: Succession | None) -> tuple[Tallies, StoreState]:
        for _ in range(TRIES):
            try:
                return await self._copied(succession)
            except StoreChanged:
                continue
        message = "the store changes all the time: try again when less is changed in it"
        raise ConfigurationError([Problem(self.shown, 0, 0, message)])

    async def _copied(self, succession: Succession | None) -> tuple[Tallies, StoreState]:
        # The source first: where there is none, nothing is begun.
        state = await self.source.begin()
        await self.target.begin()
        tallies = Tallies()
        for part in PARTS:
            async for rows in self.source.rows(part):
                if rows:
                    await self.target.put(part, rows)
                    tallies.add(part, rows)
                if part is EVENTS:
                    self.on_events(len(rows))
                # SQLite keeps the event loop to itself: an interrupt is noticed here.
                await asyncio.sleep(0)
        state = await self.source.state()
        if succession is not None:
            state = await self._succeed(state, succession, tallies)
        return tallies, state

    async def _succeed(
        self, state: StoreState, succession: Succession, tallies: Tallies
    ) -> StoreState:
        """Put the event behind the last one, and let everything held in memory be read anew."""
        event = SerializedEvent.of(succession.event(state))
        chained = event.at(state.end.sequence + 1, state.end.hash)
        row = (chained.sequence, chained.covered, event.claims, chained.hash)
        await self.target.put(EVENTS, [row])
        tallies.add(EVENTS, [row])
        return replace(
            state,
            end=Position(chained.sequence, chained.hash),
            epoch=state.epoch + EPOCH_LEAP,
        )

    async def _verified(self, written: Tallies) -> Verified:
        reading = self.target.reading()
        try:
            verified = await verify_contents(reading, self.shown, self.proof, self.on_events)
        finally:
            await reading.close()
        require_same(written, verified.tallies, self.shown)
        return verified
