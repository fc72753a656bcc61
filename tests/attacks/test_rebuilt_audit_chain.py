"""Row 184: somebody rewrites history and computes every hash anew, or forges the heads as well."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.audit.head_key import ROW_NAME
from broker.core.audit import ChainedEvent, SerializedEvent
from broker.core.audit_chain import Position
from broker.core.audit_head import HeadKey
from tests.audited_broker import AuditedStore, audited_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AuditedStore]:
    with audited_store(tmp_path) as served:
        yield served


def rebuild(store: AuditedStore, since: int) -> ChainedEvent:
    """Let all events from this one on tell of another address, in a chain that holds."""
    events = store.broker.events()[store.start + since - 1 :]
    prev, chained = events[0]["prev"], None
    for event in events:
        members = {name: event[name] for name in event.keys() - {"seq", "prev", "hash"}}
        ordered = {name: members[name] for name in event if name in members}
        ordered["client_address"] = "203.0.113.99"
        chained = SerializedEvent.of_members(ordered).at(event["seq"], prev)
        prev = chained.hash
        store.sql(
            "UPDATE events SET body = ?, claims = ?, hash = ? WHERE seq = ?",
            chained.covered,
            chained.event.claims,
            chained.hash,
            chained.sequence,
        )
    assert chained is not None
    return chained


def test_a_rebuilt_chain_is_found_by_a_head_that_was_kept(store: AuditedStore) -> None:
    checkpoint = store.checkpoint(store.head())
    rebuild(store, since=2)

    assert store.verified()["ok"]
    found = store.verified("--checkpoint", checkpoint)
    assert (found["ok"], found["first_broken"]) == (False, store.start + 5)
    assert f"event {store.start + 5} has another hash than in the head signed at" in found["fault"]


def test_the_heads_that_hold_narrow_down_where_it_began(store: AuditedStore) -> None:
    early = store.head()
    store.broker.exchange(store.broker.github_token())
    late = store.head()
    rebuild(store, since=6)

    found = store.verified("--checkpoint", store.checkpoint(early, late))
    assert (found["heads"], found["first_broken"]) == (1, store.start + 6)
    assert found["fault"].endswith(f"the chain was rebuilt after event {store.start + 5}")


def test_a_head_signed_by_another_key_is_reported_and_not_trusted(store: AuditedStore) -> None:
    kept = store.head()
    last = rebuild(store, since=2)
    forged = HeadKey.of_seed(bytes(32)).head(Position(last.sequence, last.hash), 0).line()

    found = store.verified("--checkpoint", store.checkpoint(kept, forged))
    assert (found["ok"], found["first_broken"]) == (False, store.start + 5)
    assert found["heads_refused"] == [{"line": 2, "why": "it was signed by another key"}]
    alone = store.verified("--checkpoint", store.checkpoint(forged))
    assert (alone["ok"], alone["heads"], len(alone["heads_refused"])) == (False, 0, 1)


def test_a_kept_head_whose_plain_words_were_edited_is_not_trusted(store: AuditedStore) -> None:
    kept = json.loads(store.head())
    last = rebuild(store, since=2)
    edited = json.dumps(kept | {"hash": last.hash})

    found = store.verified("--checkpoint", store.checkpoint(edited))
    assert not found["ok"]
    assert found["heads_refused"][0]["why"] == "it says something else than what was signed"


def test_a_store_whose_head_key_was_replaced_believes_no_head_of_before(
    store: AuditedStore,
) -> None:
    checkpoint = store.checkpoint(store.head())
    store.sql("DELETE FROM sealed WHERE name = ?", ROW_NAME)

    done = store.audit("verify", "--checkpoint", checkpoint)
    assert done.exit_code == 2
    assert "no key for heads" in done.stderr


def test_whoever_has_the_file_alone_cannot_sign(store: AuditedStore) -> None:
    seed = bytes(range(32))
    store.sql("UPDATE sealed SET content = ? WHERE name = ?", seed, ROW_NAME)

    done = store.audit("head")
    assert done.exit_code == 2
    assert "does not unseal" in done.stderr
