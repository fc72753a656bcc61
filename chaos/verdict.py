"""Holding the broker's record against the clients': what was lost, what counted twice."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from broker.core.audit import GENESIS, chain_hash
from broker.core.errors import Reason
from broker.core.redis_address import RedisAddress
from broker.stores.redis import RedisStore
from broker.stores.sqlite import SqliteStore
from broker.system import SystemClock
from chaos.record import ClientRecord

_PAGE: Final = 1000

# Refusals before the signature holds are counted, and written when their minute has ended.
_COUNTED: Final = frozenset({Reason.SIGNATURE_INVALID, Reason.MALFORMED_TOKEN})


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many promises were broken, and the first of them in words."""

    lost: int
    double_spent: int
    wrongly_accepted: int
    faults: tuple[str, ...]

    @property
    def line(self) -> str:
        """The last line of a run."""
        return (
            f"lost: {self.lost}, double-spent: {self.double_spent},"
            f" wrongly accepted: {self.wrongly_accepted}"
        )

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.double_spent or self.wrongly_accepted or self.faults)


async def judge(database: Path | RedisAddress, record: ClientRecord) -> Verdict:
    """Compare all that was acknowledged with what the store holds."""
    events, faults = await _read_chain(database)
    by_token = {event["token_id"]: event for event in events if event["token_id"]}
    by_id = {event["id"]: event for event in events}
    lost = 0
    for attempt in record.attempts:
        if attempt.status == httpx.codes.OK:
            event = by_token.get(attempt.token_id)
            found = event and event["subject_token_id"] == attempt.subject_token_id
        elif attempt.status == httpx.codes.BAD_REQUEST and attempt.reason not in _COUNTED:
            event = by_id.get(attempt.decision_id)
            found = event and event["reason"] == attempt.reason
        else:
            continue
        if not found:
            lost += 1
            faults.append(f"not on record: {attempt}")
    spent = Counter(
        event["subject_token_id"] for event in events if event["type"] == "token.exchanged"
    )
    answered = Counter(
        attempt.subject_token_id for attempt in record.attempts if attempt.status == httpx.codes.OK
    )
    twice = {token for counts in (spent, answered) for token, n in counts.items() if n > 1}
    return Verdict(
        lost,
        len(twice),
        len(record.wrongly_accepted),
        tuple(faults + record.wrongly_accepted + record.broken),
    )


async def _read_chain(
    database: Path | RedisAddress,
) -> tuple[list[Mapping[str, Any]], list[str]]:
    """Read every event and check the chain from its first to its last."""
    store: SqliteStore | RedisStore
    if isinstance(database, Path):
        store = await SqliteStore.open(database, SystemClock())
    else:
        store = await RedisStore.open(database, SystemClock(), may_make=False)
    events: list[Mapping[str, Any]] = []
    faults: list[str] = []
    prev = GENESIS
    try:
        while page := await store.events(after_seq=len(events), limit=_PAGE):
            for event in page:
                if event["seq"] != len(events) + 1 or event["prev"] != prev:
                    faults.append(f"the chain is broken at event {event['seq']}")
                if event["hash"] != chain_hash(event):
                    faults.append(f"event {event['seq']} was altered")
                prev = event["hash"]
                events.append(event)
    finally:
        await store.close()
    return events, faults
