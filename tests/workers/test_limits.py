"""Several workers, and several brokers of one store, limit as one does: within 5 %."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.workers.several_workers import a_home, a_token, connections, form, several_workers

LIMITS = "{{client: {client}, address: {address}, failed: {failed}}}"


def a_limited_home(folder: Path, **rates: str) -> Path:
    limits = {"client": "off", "address": "off", "failed": "off"} | rates
    return a_home(folder, limits=LIMITS.format(**limits))


def ask(clients: list[httpx.Client], forms: list[dict[str, str]]) -> list[int]:
    """Post the forms by all connections at once; give the statuses."""
    parts = [forms[number :: len(clients)] for number in range(len(clients))]

    def post(client: httpx.Client, part: list[dict[str, str]]) -> list[int]:
        return [client.post("/oauth/token", data=each).status_code for each in part]

    with ThreadPoolExecutor(len(clients)) as pool:
        return [status for statuses in pool.map(post, clients, parts) for status in statuses]


@pytest.mark.parametrize("limit", ["failed", "address"])
def test_two_workers_count_junk_as_one(tmp_path: Path, limit: str) -> None:
    home = a_limited_home(tmp_path, **{limit: "200/h"})
    with several_workers(home) as broker, connections(broker.url) as clients:
        told = ask(clients, [form("no token")] * 500)

    assert set(told) == {400, 429}
    assert 190 <= told.count(400) <= 210


def test_two_workers_serve_an_account_as_often_as_one_would(tmp_path: Path) -> None:
    home = a_limited_home(tmp_path, client="60/h")
    tokens = [form(a_token()) for _ in range(150)]
    with several_workers(home) as broker, connections(broker.url) as clients:
        told = ask(clients, tokens)

    assert set(told) == {200, 429}
    assert 57 <= told.count(200) <= 63


def test_two_brokers_of_one_store_count_as_one(tmp_path: Path) -> None:
    home = a_limited_home(tmp_path, failed="200/h")
    with ExitStack() as stack:
        brokers = [stack.enter_context(several_workers(home)) for _ in range(2)]
        clients = [
            client
            for broker in brokers
            for client in stack.enter_context(connections(broker.url, 2))
        ]
        told = ask(clients, [form("no token")] * 500)

    assert 190 <= told.count(400) <= 210


def test_a_worker_that_is_started_again_goes_on_with_the_count(tmp_path: Path) -> None:
    home = a_limited_home(tmp_path, failed="100/h")
    with several_workers(home) as broker:
        with connections(broker.url) as clients:
            ask(clients, [form("no token")] * 300)
        broker.kill(1)
        with connections(broker.url) as clients:
            told = ask(clients, [form("no token")] * 100)

    assert told.count(400) <= 5
