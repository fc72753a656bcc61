"""A scrape that reaches any worker tells of all of them, of killed ones, too."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.metrics.scraping import Figures, figures_in, sum_of, value
from tests.workers.several_workers import (
    SeveralWorkers,
    a_home,
    connections,
    form,
    several_workers,
)

EXCHANGED = {"issuer": "github", "service": "deploy-api", "outcome": "success"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SeveralWorkers]:
    with several_workers(a_home(tmp_path)) as running:
        yield running


def figures(client: httpx.Client) -> Figures:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return figures_in(answer.text)


def test_every_worker_tells_the_same_of_all(broker: SeveralWorkers) -> None:
    with connections(broker.url) as clients:
        for client in clients:
            assert client.post("/oauth/token", data=form()).status_code == 200
            assert client.post("/oauth/token", data=form("nonsense")).status_code == 400
        for found in map(figures, clients):
            assert value(found, "broker_exchanges_total", **EXCHANGED) == 4
            assert sum_of(found, "broker_exchange_refusals_total", reason="malformed_token") == 4
            assert value(found, "broker_ledger_batch_entries_sum") == 4
            assert value(found, "broker_workers") == 2
            memory = "broker_process_resident_memory_bytes"
            assert all(
                value(found, memory, process=each) > 1_000_000 for each in ("0", "1", "supervisor")
            )


def test_what_a_killed_worker_counted_is_neither_lost_nor_doubled(broker: SeveralWorkers) -> None:
    with connections(broker.url) as clients:
        for client in clients:
            assert client.post("/oauth/token", data=form()).status_code == 200
    for number in (1, 0, 1):
        broker.kill(number)
    with connections(broker.url) as clients:
        for client in clients:
            assert value(figures(client), "broker_exchanges_total", **EXCHANGED) == 4
        for client in clients:
            assert client.post("/oauth/token", data=form()).status_code == 200
        for client in clients:
            found = figures(client)
            assert value(found, "broker_exchanges_total", **EXCHANGED) == 8
            assert value(found, "broker_workers") == 2
    assert len(broker.events()) >= 8
