"""Figures in memory that several workers share."""

import pytest

from broker.core.errors import Reason
from broker.metrics import board as boards
from broker.metrics.board import Board, together
from broker.metrics.definitions import (
    BATCHES,
    EXCHANGES,
    KEY_FAILURES,
    KEY_FETCHES,
    KEYS_FETCHED_AT,
    NOT_WRITTEN,
    POLICIES_SINCE,
    RELOADS,
)
from broker.metrics.recorded import Recorded
from broker.ports import NOT_MEASURED, IssuerKeyStatus


def total(board: Board, *series: str) -> float:
    return sum(together(board.blocks())[series])


def a_status(failures: int = 0) -> IssuerKeyStatus:
    failure = "no answer" if failures else None
    return IssuerKeyStatus("github", not failures, (), None, failure, failures)


def test_what_each_worker_counts_is_added_up() -> None:
    board = Board(3)
    for number in range(3):
        worker = Recorded(board.block(number), 100 + number)
        for _ in range(number + 1):
            worker.policies_read("reloaded")

    assert total(board, RELOADS.name, "reloaded") == 6


def test_a_successor_counts_on_where_the_killed_worker_ended() -> None:
    board = Board(2)
    Recorded(board.block(0), 100).policies_read("reloaded")
    killed = Recorded(board.block(1), 101)
    killed.policies_read("reloaded")
    killed.exchange_ended("github", "deploy-api", Reason.NO_POLICY_MATCHED)

    assert total(board, RELOADS.name, "reloaded") == 2
    successor = Recorded(board.block(1), 102)
    assert board.block(1).process == 102
    assert total(board, RELOADS.name, "reloaded") == 2
    successor.policies_read("reloaded")
    successor.exchange_ended("github", "deploy-api", Reason.NO_POLICY_MATCHED)
    assert total(board, RELOADS.name, "reloaded") == 3
    assert total(board, EXCHANGES.name, "github", "deploy-api", "refused") == 2


def test_the_state_of_a_killed_worker_is_not_that_of_its_successor() -> None:
    board = Board(1)
    killed = Recorded(board.block(0), 100)
    killed.keys_fetched(a_status(failures=3), 50.0)
    killed.policies_changed(40.0)

    Recorded(board.block(0), 101)

    assert total(board, KEY_FAILURES.name, "github") == 0
    assert total(board, KEYS_FETCHED_AT.name, "github") == 0
    assert total(board, POLICIES_SINCE.name) == 0
    assert total(board, KEY_FETCHES.name, "github", "error") == 1


def test_what_was_half_made_when_a_worker_was_killed_is_made_anew() -> None:
    board = Board(1)
    killed = Recorded(board.block(0), 100)
    used = killed._block._numbers[0]
    killed.policies_read("reloaded")
    killed._block._numbers[0] = used

    successor = Recorded(board.block(0), 101)
    assert (RELOADS.name, "reloaded") not in together(board.blocks())
    successor.policies_read("rejected")
    assert total(board, RELOADS.name, "rejected") == 1


def test_of_several_workers_the_worst_is_told() -> None:
    board = Board(3)
    workers = [Recorded(board.block(number), 100 + number) for number in range(3)]
    workers[0].keys_fetched(a_status(), 80.0)
    workers[1].keys_fetched(a_status(failures=2), 50.0)
    workers[2].keys_fetched(a_status(failures=1), None)

    assert total(board, KEY_FAILURES.name, "github") == 2
    assert total(board, KEYS_FETCHED_AT.name, "github") == 50


def test_names_that_find_no_room_count_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "CONFIGURED_BYTES", 8 * 1024)
    board = Board(1, 16 * 1024)
    worker = Recorded(board.block(0), 100)
    for _ in range(2):
        for number in range(1000):
            worker.exchange_ended(f"issuer-{number}", "deploy-api", None)

    found = {series for series in together(board.blocks()) if series[0] == EXCHANGES.name}
    assert 2 < len(found) < 100
    assert sum(total(board, *series) for series in found) == 2000
    # What has a bounded number of series still finds its own.
    worker.policies_read("reloaded")
    assert total(board, RELOADS.name, "reloaded") == 1


def test_the_ledger_counts_without_making_room() -> None:
    board = Board(1)
    worker = Recorded(board.block(0), 100)
    used = worker._block._numbers[0]
    worker.batch_written(3, 0.004)
    worker.batch_written(600, 70.0)
    worker.batch_failed(2)

    assert worker._block._numbers[0] == used
    cells = together(board.blocks())[BATCHES.name,]
    assert cells == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 603]
    assert total(board, NOT_WRITTEN.name) == 2


def test_not_to_measure_does_nothing() -> None:
    NOT_MEASURED.request_answered("/healthz", 200, 0.1)
    NOT_MEASURED.oauth_answered("/oauth/token", "none", None)
    NOT_MEASURED.exchange_ended("github", "deploy-api", None)
    NOT_MEASURED.rate_limited("client")
    NOT_MEASURED.batch_written(1, 0.1)
    NOT_MEASURED.batch_failed(1)
    NOT_MEASURED.keys_fetched(a_status(), None)
    NOT_MEASURED.policies_read("reloaded")
    NOT_MEASURED.policies_changed(0)
