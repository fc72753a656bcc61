"""`/api/v1/audit-logs`: searched, paged and verified with the broker's own tokens."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.core.list_cursor import write_cursor
from tests.http.operators import OPERATORS, bearer, get, refused
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

LOGS = "/api/v1/audit-logs"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Serve a broker on whose record there are permits, refusals and a counted one."""
    with special_broker(tmp_path_factory.mktemp("broker"), OPERATORS) as running:
        for _ in range(3):
            assert running.exchange(running.github_token()).status_code == 200
        assert running.exchange(running.github_token(ref="refs/heads/x")).status_code == 400
        assert running.exchange("no token").status_code == 400
        running.events()
        yield running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningBroker]:
    """Serve a broker whose record a test may change."""
    with special_broker(tmp_path, OPERATORS) as running:
        assert running.exchange(running.github_token()).status_code == 200
        yield running


def items(broker: RunningBroker, account: str = "auditor", **query: Any) -> list[dict[str, Any]]:
    answer = get(broker, account, LOGS, **query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_events_are_listed_newest_first_as_they_are_exported(broker: RunningBroker) -> None:
    bearer(broker, "auditor")

    assert items(broker) == broker.events()[::-1]


@pytest.mark.parametrize(
    ("query", "facts"),
    [
        ({"service_account_id": "deploy-web"}, {"service_account": "deploy-web"}),
        ({"type": "token.exchanged"}, {"type": "token.exchanged"}),
        ({"type": "key.created"}, {"type": "key.created"}),
        ({"outcome": "refused"}, {"outcome": "refused"}),
        ({"outcome": "success"}, {"outcome": "success"}),
        ({"issuer": "github"}, {"issuer": "github"}),
        ({"policy": "octo-main"}, {"policies": ["octo-main"]}),
        ({"policy": "octo-main", "outcome": "success"}, {"policies": ["octo-main"]}),
        ({"issuer": "github", "outcome": "refused"}, {"issuer": "github", "outcome": "refused"}),
    ],
)
def test_a_filter_leaves_what_it_says(
    broker: RunningBroker, query: dict[str, str], facts: dict[str, Any]
) -> None:
    found = items(broker, **query)

    assert found
    assert found == [event for event in broker.events()[::-1] if facts.items() <= event.items()]


def test_dates_bound_what_is_listed_with_the_first_and_without_the_last(
    broker: RunningBroker,
) -> None:
    bearer(broker, "auditor")
    every = items(broker)

    assert items(broker, start_date="2026-11-21", end_date="2026-11-22") == every
    assert items(broker, start_date="2026-11-21T22:26:40Z") == every
    assert items(broker, end_date="2026-11-21T22:26:40Z") == []
    assert items(broker, start_date="2026-11-21T22:26:40.001+00:00") == []
    assert items(broker, start_date="1h") == every
    assert items(broker, start_date="2026-11-22", end_date="2026-11-21") == []


def test_a_decision_is_found_by_its_id(broker: RunningBroker) -> None:
    refusal = broker.exchange(broker.github_token(ref="refs/heads/x")).json()

    [found] = items(broker, decision_id=refusal["decision_id"])
    assert (found["reason"], found["claims"]["ref"]) == ("no_policy_matched", "refs/heads/x")
    assert items(broker, decision_id="unknown") == []


def test_pages_make_up_the_whole_whatever_comes_meanwhile(own: RunningBroker) -> None:
    headers = bearer(own, "auditor")
    whole = own.events()[::-1]
    read: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = own.request("GET", LOGS, headers=headers, params=query).json()
        read += page["items"]
        if "next_cursor" not in page:
            break
        assert len(page["items"]) == 2
        query["cursor"] = page["next_cursor"]
        assert own.exchange(own.github_token()).status_code == 200

    assert read == whole


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "1h"}, "since"),
        ({"access_token": "x"}, "access_token"),
        ({"service_account": "deploy-web"}, "service_account"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": "\N{ARABIC-INDIC DIGIT ONE}"}, "limit"),
        ({"outcome": "good"}, "outcome"),
        ({"start_date": "tuesday"}, "start_date"),
        ({"end_date": "2026-13-01"}, "end_date"),
        ({"type": ""}, "type"),
        ({"type": "x\x00"}, "type"),
        ({"issuer": "x" * 513}, "issuer"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "!"}, "cursor"),
        ({"cursor": "x" * 513}, "cursor"),
    ],
)
def test_a_parameter_that_means_nothing_is_named(
    broker: RunningBroker, query: dict[str, str], field: str
) -> None:
    assert refused(get(broker, "auditor", LOGS, **query), field)


def test_a_cursor_that_somebody_made_up_is_refused(broker: RunningBroker) -> None:
    for position in ("x", "9" * 30):
        cursor = write_cursor("audit-logs", {}, position)
        assert refused(get(broker, "auditor", LOGS, cursor=cursor), "cursor")


@pytest.mark.parametrize("query", ["type=a&type=b", "limit=1&limit=1"])
def test_a_parameter_that_comes_twice_is_refused(broker: RunningBroker, query: str) -> None:
    headers = bearer(broker, "auditor")
    answer = broker.request("GET", f"{LOGS}?{query}", headers=headers)

    assert "is repeated" in refused(answer, query.partition("=")[0])


@pytest.mark.parametrize("query", ["type=%ff", "&".join(f"type{n}=x" for n in range(60))])
def test_a_query_that_cannot_be_read_is_refused(broker: RunningBroker, query: str) -> None:
    answer = broker.request("GET", f"{LOGS}?{query}", headers=bearer(broker, "auditor"))

    assert "the query is not clean UTF-8" in refused(answer)


def test_a_cursor_goes_with_the_filters_it_was_given_for(broker: RunningBroker) -> None:
    page = get(broker, "auditor", LOGS, limit=1, outcome="success").json()

    answer = get(broker, "auditor", LOGS, cursor=page["next_cursor"], outcome="refused")
    assert "belongs to another list" in refused(answer, "cursor")
    # How many are wanted may change.
    cursor = page["next_cursor"]
    assert items(broker, cursor=cursor, outcome="success", limit=3)


def test_a_cursor_of_another_list_is_refused(broker: RunningBroker) -> None:
    page = get(broker, "catalogue-reader", "/api/v1/services", limit=1).json()

    assert refused(get(broker, "auditor", LOGS, cursor=page["next_cursor"]), "cursor")


def test_a_damaged_event_is_listed_by_its_number(own: RunningBroker) -> None:
    with own.database() as store:
        store.execute("""UPDATE events SET body = '{"id":"x"}' WHERE seq = 2""")

    listed = {event["seq"]: event for event in items(own)}
    assert listed[2] == {"seq": 2, "damaged": True}
    assert listed[1]["type"] == "key.created"


def verify(broker: RunningBroker, account: str = "auditor", query: str = "") -> Any:
    return broker.request("POST", f"{LOGS}/verify{query}", headers=bearer(broker, account))


def test_a_whole_chain_is_verified(own: RunningBroker) -> None:
    answer = verify(own)

    assert answer.status_code == 200, answer.text
    assert answer.json() == {"ok": True, "events": len(own.events())}


def test_a_broken_chain_names_the_first_event_that_is(own: RunningBroker) -> None:
    with own.database() as store:
        store.execute("UPDATE events SET body = replace(body, 'success', 'refused') WHERE seq = 3")

    answer = verify(own).json()
    assert (answer["ok"], answer["events"], answer["first_broken"]) == (False, 3, 3)
    assert answer["fault"] == "event 3: it was changed: its hash is not that of its content"


def test_a_verification_takes_no_parameters(broker: RunningBroker) -> None:
    assert refused(verify(broker, query="?limit=1"), "limit")


@pytest.mark.parametrize(("method", "path"), [("GET", LOGS), ("POST", f"{LOGS}/verify")])
def test_only_who_may_read_the_audit_reads_it(
    broker: RunningBroker, method: str, path: str
) -> None:
    answer = broker.request(method, path, headers=bearer(broker, "catalogue-reader"))

    assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert 'scope="broker:audit:read"' in answer.headers["www-authenticate"]
    assert broker.request(method, path).status_code == 401
    assert broker.request(method, f"{path}?access_token=x").status_code == 401


def test_a_store_that_is_gone_is_said(own: RunningBroker) -> None:
    headers = bearer(own, "auditor")
    for file in own.folder.glob("broker.db*"):
        file.unlink()

    answer = own.request("GET", LOGS, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
