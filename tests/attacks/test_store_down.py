"""Row 46: the store is gone or full, and the broker cannot remember what it lets pass."""

import apsw
import httpx
import pytest

from broker.stores.sqlite import SqliteStore
from tests.attacks.refusals import assert_no_token_shows, assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified


def assert_unavailable(answer: httpx.Response) -> None:
    body = answer.json()
    assert answer.status_code == 503
    assert (body["error"], body["reason"]) == ("temporarily_unavailable", "store_unavailable")
    assert body["decision_id"]
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["cache-control"] == "no-store"
    assert "access_token" not in body


def move_store(broker: RunningBroker, old: str, new: str) -> None:
    for suffix in ("", "-wal", "-shm"):
        (broker.folder / f"{old}{suffix}").rename(broker.folder / f"{new}{suffix}")


async def set_size_limit(broker: RunningBroker, spare_pages: int) -> None:
    """Let the file grow by so many pages and no further, as a full disk would."""
    assert broker._broker is not None
    store = broker._broker.store
    assert isinstance(store, SqliteStore)

    def limit(connection: apsw.Connection) -> None:
        pages = connection.pragma("page_count")
        connection.pragma("max_page_count", pages + spare_pages)

    await store._writer.run(limit)


@pytest.mark.parametrize("grant", ["exchange", "jwt_bearer"])
def test_no_token_leaves_without_a_store_and_none_is_lost(
    own_broker: RunningBroker, grant: str
) -> None:
    token = own_broker.github_token()
    move_store(own_broker, "broker.db", "away.db")

    refused = getattr(own_broker, grant)(token)
    assert_unavailable(refused)

    move_store(own_broker, "away.db", "broker.db")
    events = own_broker.events()
    (event,) = (event for event in events if event["id"] == refused.json()["decision_id"])
    assert (event["outcome"], event["reason"]) == ("error", "store_unavailable")
    assert_no_token_shows(refused, events)
    assert own_broker.minted() == 0
    verified(own_broker, getattr(own_broker, grant)(token))
    assert_refused(own_broker, own_broker.exchange(token), "token_already_used")


def test_a_reusable_token_is_not_served_without_a_record_either(own_broker: RunningBroker) -> None:
    token = own_broker.gitlab_token()
    verified(own_broker, own_broker.exchange(token))
    move_store(own_broker, "broker.db", "away.db")

    assert_unavailable(own_broker.exchange(token))

    move_store(own_broker, "away.db", "broker.db")
    assert own_broker.minted() == 1


def test_a_refusal_that_cannot_be_recorded_is_not_told(own_broker: RunningBroker) -> None:
    token = own_broker.github_token(event_name="pull_request")
    move_store(own_broker, "broker.db", "away.db")

    assert_unavailable(own_broker.exchange(token))

    move_store(own_broker, "away.db", "broker.db")
    assert_refused(own_broker, own_broker.exchange(token), "no_policy_matched")


def test_a_store_that_was_replaced_is_not_taken_for_the_old_one(own_broker: RunningBroker) -> None:
    token = own_broker.github_token()
    verified(own_broker, own_broker.exchange(token))
    move_store(own_broker, "broker.db", "away.db")
    (own_broker.folder / "broker.db").touch()

    assert_unavailable(own_broker.exchange(token))

    (own_broker.folder / "broker.db").unlink()
    move_store(own_broker, "away.db", "broker.db")
    assert_refused(own_broker, own_broker.exchange(token), "token_already_used")


def test_readiness_tells_and_liveness_does_not(own_broker: RunningBroker) -> None:
    assert own_broker.request("GET", "/readyz").status_code == 200
    move_store(own_broker, "broker.db", "away.db")
    own_broker.clock.advance(2)

    ready, alive = (own_broker.request("GET", path) for path in ("/readyz", "/healthz"))

    assert (ready.status_code, ready.json()) == (503, {"status": "unready"})
    assert alive.status_code == 200
    move_store(own_broker, "away.db", "broker.db")
    assert own_broker.request("GET", "/readyz").status_code == 200


def test_a_full_store_grants_nothing_until_there_is_room(own_broker: RunningBroker) -> None:
    own_broker._run(set_size_limit(own_broker, spare_pages=4))
    answers: list[httpx.Response] = []
    token = ""
    while not answers or answers[-1].status_code == 200:
        token = own_broker.github_token()
        answers.append(own_broker.exchange(token))
    assert_unavailable(answers[-1])
    assert_unavailable(own_broker.exchange(token))

    own_broker._run(set_size_limit(own_broker, spare_pages=10_000))
    assert own_broker.minted() == len(answers) - 1
    verified(own_broker, own_broker.exchange(token))
