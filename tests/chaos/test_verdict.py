"""The judge of a chaos run finds each broken promise; a judge that cannot would be worthless."""

from pathlib import Path

import apsw
import pytest

from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from chaos.record import UNANSWERED, Attempt, ClientRecord
from chaos.verdict import judge
from tests.stores.entries import NOW, an_entry


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """A store with two exchanges and a refusal."""
    database = tmp_path / "broker.db"
    store = await SqliteStore.open(database, FrozenClock(NOW))
    await store.commit(an_entry(id="d-1", token_id="t-1", subject_token_id="s-1"))
    await store.commit(an_entry(id="d-2", token_id="t-2", subject_token_id="s-2"))
    await store.commit(
        an_entry(id="d-3", type="token.refused", outcome="refused", reason="token_already_used")
    )
    await store.close()
    return database


def told(*attempts: Attempt) -> ClientRecord:
    return ClientRecord(list(attempts))


async def test_a_run_in_which_all_is_on_record_is_good(database: Path) -> None:
    verdict = await judge(
        database,
        told(
            Attempt("fresh", "s-1", 200, token_id="t-1"),
            Attempt("replay", "s-1", 400, "token_already_used", decision_id="d-3"),
            Attempt("fresh", "s-9", UNANSWERED),
            Attempt("fresh", "s-9", 503, "store_unavailable", decision_id="never written"),
            Attempt("forged", "s-9", 400, "signature_invalid", decision_id="counted"),
        ),
    )

    assert verdict.good
    assert verdict.line == "lost: 0, double-spent: 0, wrongly accepted: 0"


@pytest.mark.parametrize(
    "attempt",
    [
        Attempt("fresh", "s-1", 200, token_id="unknown"),
        Attempt("fresh", "of another", 200, token_id="t-1"),
        Attempt("denied", "s-1", 400, "no_policy_matched", decision_id="unknown"),
        Attempt("denied", "s-1", 400, "no_policy_matched", decision_id="d-3"),
    ],
)
async def test_what_was_told_and_is_not_on_record_is_lost(database: Path, attempt: Attempt) -> None:
    verdict = await judge(database, told(attempt))

    assert not verdict.good
    assert verdict.lost == 1


async def test_a_token_answered_twice_is_double_spent(database: Path) -> None:
    twice = [Attempt("fresh", "s-1", 200, token_id=token_id) for token_id in ("t-1", "t-1")]
    verdict = await judge(database, told(*twice))

    assert not verdict.good
    assert verdict.double_spent == 1


async def test_a_token_recorded_twice_is_double_spent(database: Path) -> None:
    store = await SqliteStore.open(database, FrozenClock(NOW))
    await store.commit(an_entry(id="d-4", token_id="t-4", subject_token_id="s-1"))
    await store.close()

    assert (await judge(database, told())).double_spent == 1


async def test_what_a_client_saw_accepted_or_broken_counts(database: Path) -> None:
    record = told()
    record.wrongly_accepted.append("a token that is forged")
    verdict = await judge(database, record)
    assert not verdict.good
    assert verdict.wrongly_accepted == 1

    record = told()
    record.broken.append("an answer 500")
    assert not (await judge(database, record)).good


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM events WHERE seq = 2",
        "UPDATE events SET body = replace(body, 't-2', 't-9') WHERE seq = 2",
    ],
)
async def test_a_chain_that_does_not_hold_is_told(database: Path, harm: str) -> None:
    connection = apsw.Connection(str(database))
    connection.execute(harm)
    connection.close()
    verdict = await judge(database, told())

    assert not verdict.good
    assert any("event" in fault for fault in verdict.faults)
