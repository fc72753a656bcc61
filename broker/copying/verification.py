"""Verifying the contents of a store: its chain, its seals, and how it lies on the disk."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from broker.copying.tally import Tallies
from broker.core.audit_chain import START, ChainReport, ChainVerification, Position, StoredEvent
from broker.core.audit_head import HeadRefused, HeadTyp, HeadVerifier
from broker.core.errors import ConfigurationError, Problem
from broker.ports.contents import EVENTS, PARTS, ContentsReading, Part, Row, StoreState

Advance = Callable[[int], None]
SealFault = Callable[[Part, Row], str | None]
"""Says what is wrong with the seal of a row; None when nothing is, or when it has none."""

_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Proof:
    """What the master key of a store proves of its contents."""

    verifier: HeadVerifier | None
    """Verifies where the chain was signed to begin; None of a store that has signed nothing."""

    seal_fault: SealFault


@dataclass(frozen=True, slots=True)
class Verified:
    """A store that is whole."""

    state: StoreState
    tallies: Tallies
    chain: ChainReport
    ends: str | None
    """When its last event was recorded, in RFC 3339; None when it has none."""


async def verify_contents(
    reading: ContentsReading, shown: str, proof: Proof | None, on_events: Advance
) -> Verified:
    """Read a whole store, in constant memory, and verify all of it.

    Without `proof` the seals are not looked at, and the beginning of a pruned chain is believed.
    `shown` is what messages name the store by; `on_events` is called with numbers of events read.
    Raises `ConfigurationError` with what is wrong, and `StoreChanged`.
    """
    state = await reading.begin()
    fault = await reading.fault()
    if fault is not None:
        raise _refused(shown, f"is damaged: {fault}; take another backup")
    chain = ChainVerification(begins_after=_beginning(state, shown, proof))
    tallies = Tallies()
    problems: list[str] = []
    last: Row | None = None
    for part in PARTS:
        async for rows in reading.rows(part):
            tallies.add(part, rows)
            if part is EVENTS:
                for row in rows:
                    if not chain.take(_stored(row).link()):
                        raise _broken(shown, chain.finish())
                last = rows[-1] if rows else last
                on_events(len(rows))
            elif proof is not None:
                found = (proof.seal_fault(part, row) for row in rows)
                problems += [each for each in found if each is not None]
                # Of a store in which every row was altered no more is held.
                del problems[_MOST_SHOWN:]
            # SQLite keeps the event loop to itself: an interrupt is noticed here.
            await asyncio.sleep(0)
    if problems:
        raise ConfigurationError([Problem(shown, 0, 0, each) for each in problems])
    report = chain.finish()
    if (report.ends_at or START) != state.end:
        raise _refused(shown, "does not end with the event that its state names as the last")
    ends = None if last is None else str(_stored(last).members()["time"])
    return Verified(state, tallies, report, ends)


def require_same(written: Tallies, found: Tallies, shown: str) -> None:
    """Raise `ConfigurationError` unless what was found is what was written."""
    differing = written.differing(found)
    if differing:
        counts, others = written.counts(), found.counts()
        told = ", ".join(
            f"{each} ({counts[each]} rows, {others[each]} found)" for each in differing
        )
        raise _refused(shown, f"does not hold what was written: {told}; try again")


def _beginning(state: StoreState, shown: str, proof: Proof | None) -> Position | None:
    """Give the event before the first; None when it is to be believed."""
    if state.beginning is None:
        return START
    if proof is None:
        return None
    if proof.verifier is None:
        raise _refused(shown, "has a chain of which the beginning cannot have been signed")
    try:
        return proof.verifier.read(state.beginning, HeadTyp.BEGINNING).position
    except HeadRefused as refused:
        message = f"has a chain of which the beginning is not believed: {refused}"
        raise _refused(shown, message) from None


def _stored(row: Row) -> StoredEvent:
    sequence, covered, claims, event_hash = row
    return StoredEvent(int(sequence or 0), str(covered), str(claims), str(event_hash))


def _broken(shown: str, report: ChainReport) -> ConfigurationError:
    return _refused(
        shown, f"has a broken chain: {report.fault} (`broker audit verify` looks closer)"
    )


def _refused(shown: str, what: str) -> ConfigurationError:
    return ConfigurationError([Problem(shown, 0, 0, f"the store {what}")])
