"""Row 184: somebody who can write to the store's file edits, drops, swaps or adds events."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audited_broker import AuditedStore, audited_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AuditedStore]:
    with audited_store(tmp_path, exchanges=2) as served:
        assert served.verified()["events"] == served.start + 4
        yield served


@pytest.mark.parametrize(
    ("statement", "first_broken"),
    [
        ("UPDATE events SET body = replace(body, 'deploy-web', 'deploy-app') WHERE {2}", 2),
        ("UPDATE events SET body = replace(body, 'refused', 'success') WHERE {3}", 3),
        ("UPDATE events SET body = body || ' ' WHERE {1}", 1),
        ("UPDATE events SET body = '{{}}' WHERE {4}", 4),
        ("UPDATE events SET claims = replace(claims, 'octocat', 'hubot') WHERE {2}", 2),
        ("UPDATE events SET claims = 'null' WHERE {2}", 2),
        ("UPDATE events SET hash = upper(hash) WHERE {4}", 4),
        ("DELETE FROM events WHERE {3}", 3),
        ("DELETE FROM events WHERE {2} OR {3}", 2),
        ("UPDATE events SET seq = seq + 10 WHERE seq > :start + 2", 3),
    ],
)
def test_an_edit_by_bare_sql_is_found(
    store: AuditedStore, statement: str, first_broken: int
) -> None:
    store.sql(statement.format(*(f"seq = :start + {number}" for number in range(5))))

    found = store.verified()
    assert (found["ok"], found["first_broken"]) == (False, store.start + first_broken)


@pytest.mark.parametrize(
    ("statement", "first_broken"),
    [
        ("UPDATE events SET body = body || ' ' WHERE seq = 1", 1),
        ("UPDATE events SET hash = '' WHERE seq = 1", 1),
        ("DELETE FROM events WHERE seq = 1", 1),
        ("UPDATE events SET seq = -seq WHERE seq = 1", -1),
        ("""INSERT INTO events VALUES (-7, '{"id":"x"}', 'null', '')""", -7),
    ],
)
def test_an_edit_of_where_the_chain_begins_is_found(
    store: AuditedStore, statement: str, first_broken: int
) -> None:
    store.sql(statement)

    found = store.verified()
    assert (found["ok"], found["first_broken"]) == (False, first_broken)


def test_a_reorder_is_found(store: AuditedStore) -> None:
    rows = store.sql(
        "SELECT seq, body, claims, hash FROM events WHERE seq IN (:start + 2, :start + 3)"
    )
    store.sql("DELETE FROM events WHERE seq IN (:start + 2, :start + 3)")
    for (sequence, *_), (_, *content) in zip(rows, reversed(rows), strict=True):
        store.sql("INSERT INTO events VALUES (?, ?, ?, ?)", sequence, *content)

    assert store.verified()["first_broken"] == store.start + 2


def test_text_that_is_no_text_is_found(store: AuditedStore) -> None:
    store.sql("UPDATE events SET claims = CAST(x'7bff' AS TEXT) WHERE seq = :start + 2")

    assert store.verified()["first_broken"] == store.start + 2


def test_an_event_that_was_made_up_and_put_behind_is_found(store: AuditedStore) -> None:
    [(body, claims)] = store.sql("SELECT body, claims FROM events WHERE seq = :start + 2")
    sequence = store.start + 5
    forged = body.replace(f'"seq":{store.start + 2}', f'"seq":{sequence}').replace(
        '"id":"', '"id":"x'
    )
    store.sql("INSERT INTO events VALUES (?, ?, ?, ?)", sequence, forged, claims, "0" * 64)

    assert store.verified()["first_broken"] == sequence


def test_the_broker_goes_on_and_does_not_heal_what_was_edited(store: AuditedStore) -> None:
    store.sql(
        "UPDATE events SET body = replace(body, 'deploy-web', 'deploy-app') WHERE seq = :start + 2"
    )
    assert store.broker.exchange(store.broker.github_token()).status_code == 200

    assert store.verified()["first_broken"] == store.start + 2
