"""Row 184: events are cut off, at the end or at the beginning, and pruning is blamed for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.core.audit_chain import Position
from broker.core.audit_head import HeadKey, HeadTyp
from tests.audited_broker import AuditedStore, audited_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AuditedStore]:
    with audited_store(tmp_path) as served:
        yield served


def test_a_cut_tail_is_found_by_a_head_that_was_kept(store: AuditedStore) -> None:
    checkpoint = store.checkpoint(store.head())
    store.sql("DELETE FROM events WHERE seq > :start + 3")

    assert store.verified()["ok"]
    found = store.verified("--checkpoint", checkpoint)
    assert (found["ok"], found["first_broken"]) == (False, store.start + 4)
    assert "its tail was cut off" in found["fault"]


def test_a_tail_that_was_cut_and_grew_again_is_found(store: AuditedStore) -> None:
    checkpoint = store.checkpoint(store.head())
    store.sql("DELETE FROM events WHERE seq > :start + 3")
    for _ in range(4):
        store.broker.exchange(store.broker.github_token())

    assert store.verified()["ok"]
    found = store.verified("--checkpoint", checkpoint)
    assert (found["ok"], found["first_broken"]) == (False, store.start + 5)
    assert "the chain was rebuilt" in found["fault"]


def test_a_restored_backup_shows_what_it_lacks(store: AuditedStore) -> None:
    # Row 185.
    store.sql("VACUUM INTO ?", str(store.broker.folder / "backup.db"))
    store.broker.exchange(store.broker.github_token())
    checkpoint = store.checkpoint(store.head())

    restored = AuditedStore(store.broker, "backup.db")
    assert restored.verified()["ok"]
    assert restored.verified("--checkpoint", checkpoint)["first_broken"] == store.start + 6


def test_an_emptied_store_is_found(store: AuditedStore) -> None:
    checkpoint = store.checkpoint(store.head())
    store.sql("DELETE FROM events")

    assert store.verified("--checkpoint", checkpoint)["first_broken"] == 1


def test_a_cut_beginning_is_found_without_any_head(store: AuditedStore) -> None:
    store.sql("DELETE FROM events WHERE seq <= 2")

    found = store.verified()
    assert (found["ok"], found["first_broken"]) == (False, 1)
    assert "nothing signed says that they were pruned" in found["fault"]


def test_no_printed_head_passes_for_a_beginning(store: AuditedStore) -> None:
    printed = store.head()
    jws = printed[printed.index('"jws":"') + 7 : -3]
    store.sql("DELETE FROM events WHERE seq < :start + 5")
    store.sql("INSERT INTO audit_beginning VALUES (1, ?)", jws)

    assert "is not believed: it is no audit-beginning+jwt" in store.verified()["fault"]


def test_no_other_key_signs_a_beginning(store: AuditedStore) -> None:
    [(cut,)] = store.sql("SELECT hash FROM events WHERE seq = 2")
    forged = HeadKey.of_seed(bytes(32)).sign(Position(2, cut), 0, HeadTyp.BEGINNING)
    store.sql("DELETE FROM events WHERE seq <= 2")
    store.sql("INSERT INTO audit_beginning VALUES (1, ?)", forged)

    assert "is not believed: it was signed by another key" in store.verified()["fault"]


def test_what_the_broker_itself_pruned_is_accepted(store: AuditedStore) -> None:
    checkpoint = store.checkpoint(store.head())
    store.broker.clock.advance(91 * 86_400)
    store.broker.exchange("no token")
    store.broker.events()
    store.broker.tick_audit()

    found = store.verified("--checkpoint", checkpoint)
    assert (found["ok"], found["begins_after"]) == (True, store.start + 5)
    assert found["events"] == 1
    # The head is of the very event that the chain begins after: its hash was compared.
    assert found["heads_before"] == 1
