"""Entries for a ledger, and the check that its chain is whole."""

import hashlib
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, Protocol

from broker.core.audit import GENESIS, AuditEvent, chain_hash
from broker.core.signing_keys import SigningSchedule
from broker.ports import (
    Entry,
    SigningKeyChange,
    SigningKeyRow,
    SigningKeyStore,
    Spend,
    StateEpoch,
    Store,
)

NOW = 1_800_000_000.0

_numbers = count(1)


class ReadableStore(Store, Protocol):
    """A store whose events can be read back."""

    async def events(
        self, *, decision_id: str | None = None, after_seq: int = 0, limit: int = 100
    ) -> list[dict[str, Any]]: ...


def an_event(**members: Any) -> AuditEvent:
    defaults: dict[str, Any] = {
        "id": f"event-{next(_numbers)}",
        "time": NOW,
        "type": "token.exchanged",
        "outcome": "success",
    }
    return AuditEvent(**(defaults | members))


def an_entry(**members: Any) -> Entry:
    """Give an entry that spends nothing."""
    return Entry(an_event(**members))


def a_spend(name: str, *, expires_at: float = NOW + 300, **members: Any) -> Entry:
    """Give an entry that spends the key of a name."""
    key = hashlib.sha256(name.encode()).digest()
    event = an_event(**members)
    refusal = AuditEvent(event.id, NOW, "token.refused", "refused", reason="token_already_used")
    return Entry(event, Spend(key, int(expires_at)), lambda: refusal)


def a_key_row(algorithm: str = "RS256", generation: int = 1, **members: Any) -> SigningKeyRow:
    defaults: dict[str, Any] = {
        "key_id": f"key-{next(_numbers)}",
        "schedule": SigningSchedule(publish_at=NOW, sign_from=NOW + 0.1),
        "wrapped": b"\x00wrapped",
    }
    return SigningKeyRow(algorithm=algorithm, generation=generation, **(defaults | members))


class KeyStore(SigningKeyStore, StateEpoch, Protocol):
    """A store that keys can be put into."""


async def put_keys(store: KeyStore, *rows: SigningKeyRow, epoch: int | None = None) -> bool:
    """Put signing keys into a store, by its epoch of now or by another."""
    planned_by = await store.state_epoch() if epoch is None else epoch
    return await store.change_signing_keys(SigningKeyChange(planned_by, rows, (), ()))


def assert_chained(events: Iterable[Mapping[str, Any]]) -> None:
    """Check that the events are one unbroken chain from its beginning."""
    prev = GENESIS
    for place, event in enumerate(events, start=1):
        assert (event["seq"], event["prev"]) == (place, prev)
        assert event["hash"] == chain_hash(event)
        prev = event["hash"]
