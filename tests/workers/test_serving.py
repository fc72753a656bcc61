"""Several workers serve as one broker."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import sleep

import httpx
import pytest

from tests.stores.entries import assert_chained
from tests.workers.several_workers import (
    BROKEN,
    SeveralWorkers,
    a_home,
    a_token,
    connections,
    form,
    several_workers,
    until,
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeveralWorkers]:
    with several_workers(a_home(tmp_path_factory.mktemp("home"))) as running:
        yield running


def statuses(clients: list[httpx.Client]) -> set[str]:
    return {client.get("/readyz").json()["status"] for client in clients}


def gets_a_token(client: httpx.Client) -> bool:
    return client.post("/oauth/token", data=form()).is_success


def test_the_log_says_once_that_all_serve_and_who_says_what(broker: SeveralWorkers) -> None:
    serving = broker.said("serving", workers=2)

    assert "worker" not in serving
    assert len(broker.find("serving", workers=2)) == 1
    assert {each["worker"] for each in broker.find("Started server process")} == {0, 1}


def test_each_worker_serves(broker: SeveralWorkers) -> None:
    with connections(broker.url) as clients:
        answers = [client.post("/oauth/token", data=form()) for client in clients]

    assert [answer.status_code for answer in answers] == [200] * 4


def test_one_of_fifty_copies_of_a_token_wins_over_all_workers(broker: SeveralWorkers) -> None:
    copies = form(a_token())
    with connections(broker.url, 10) as clients, ThreadPoolExecutor(10) as pool:
        answers = list(
            pool.map(lambda client: [client.post("/oauth/token", data=copies) for _ in range(5)],
                     clients)
        )  # fmt: skip

    codes = Counter(answer.status_code for each in answers for answer in each)
    assert codes == {200: 1, 400: 49}
    reasons = {answer.json().get("reason") for each in answers for answer in each}
    assert reasons == {None, "token_already_used"}


def test_a_reload_by_any_worker_is_followed_by_all_before_it_is_answered(
    broker: SeveralWorkers,
) -> None:
    with connections(broker.url) as clients:
        for minutes, asked in enumerate(clients, start=2):
            token = asked.post("/oauth/token", data=form(audience="broker")).json()["access_token"]
            broker.write(minutes=minutes)
            answer = asked.post(
                "/api/v1/policies/reload", headers={"Authorization": f"Bearer {token}"}
            )
            assert (answer.status_code, answer.json()["outcome"]) == (200, "reloaded")

            answers = [client.post("/oauth/token", data=form()) for client in clients]
            assert [each.json()["expires_in"] for each in answers] == [minutes * 60] * 4


def test_broken_files_are_degraded_on_every_worker_also_one_that_starts_later(
    broker: SeveralWorkers,
) -> None:
    broken = broker.home / "policies" / "broken.yaml"
    broken.write_text(BROKEN)
    with connections(broker.url) as clients:
        token = clients[0].post("/oauth/token", data=form(audience="broker")).json()["access_token"]
        for client in clients:
            answer = client.post(
                "/api/v1/policies/reload", headers={"Authorization": f"Bearer {token}"}
            )
            assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
            assert "broken.yaml" in answer.json()["problems"][0]["file"]
        assert statuses(clients) == {"degraded"}
        assert {client.get("/healthz").json()["status"] for client in clients} == {"ok"}
    for number in (1, 0):
        broker.kill(number)
        with connections(broker.url) as clients:
            assert statuses(clients) == {"degraded"}

    broken.unlink()
    broker.said("the policy files are in force again")
    with connections(broker.url) as clients:
        assert statuses(clients) == {"ready"}


def test_every_event_is_printed_whole_and_all_are_one_chain(broker: SeveralWorkers) -> None:
    with connections(broker.url) as clients, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda client: [client.post("/oauth/token", data=form()) for _ in range(9)],
                      clients))  # fmt: skip

    events = broker.events()
    assert_chained(events)
    assert {each["seq"] for each in broker.printed()} <= {each["seq"] for each in events}


def test_every_worker_goes_on_signing_while_nothing_changes(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    # Who has not read the keys for half of that, a second, signs no longer.
    signing = "signing: {publish_before_use: 2s, rotate_every: 3650d}\n"
    (home / "broker.yaml").write_text(signing)
    with several_workers(home) as broker, connections(broker.url) as clients:
        sleep(1.5)

        for client in clients:
            # A machine so busy that none reads in time refuses for a while, but not for good.
            until(partial(gets_a_token, client))
