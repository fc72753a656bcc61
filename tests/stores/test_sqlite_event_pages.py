"""Pages of a large store: what is looked at is bounded, and nothing that is asked for is missed."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from broker.core.audit import AuditEvent, chain
from broker.ports import EventFilter, EventPage
from broker.stores import sqlite_event_pages
from broker.stores.sqlite_event_pages import EventPageQuery
from broker.stores.sqlite_file import open_for_writing
from broker.system import UuidV7Identifiers

NOW = 1_800_000_000.0
IDS = UuidV7Identifiers(random.Random(7).randbytes)  # noqa: S311 — nothing secret
EVENTS = 3000
HOUR = 3600


def write(connection: apsw.Connection, events: list[AuditEvent]) -> None:
    first = connection.execute("SELECT coalesce(max(seq), 0) + 1 FROM events").get
    rows = [
        (number, line.covered, line.event.claims, line.hash)
        for number, line in (
            (number, chain(event, number, "0" * 64)) for number, event in enumerate(events, first)
        )
    ]
    connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", rows)


def an_event(time: float, **members: Any) -> AuditEvent:
    defaults: dict[str, Any] = {"type": "token.exchanged", "outcome": "success"}
    return AuditEvent(id=IDS.new(time), time=time, **(defaults | members))


def of_number(number: int) -> AuditEvent:
    """Give the so manieth event, one each minute; what is rare is at the beginning."""
    members: dict[str, Any] = {
        "service_account": f"account-{number % 10}",
        "issuer": "github",
        "policies": ("everybody", f"policy-{number % 10}"),
    }
    if number < 100 and number % 10 == 0:
        members |= {"type": "token.refused", "outcome": "refused", "reason": "blocked"}
        members |= {"service_account": "seldom", "policies": ("seldom",)}
    return an_event(NOW + 60 * number, **members)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    connection = open_for_writing(tmp_path_factory.mktemp("store") / "broker.db")
    with connection:
        write(connection, [of_number(number) for number in range(EVENTS)])
    yield connection
    connection.close()


@pytest.fixture(autouse=True)
def few_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_event_pages, "LOOKED_AT", 200)


def page(
    store: apsw.Connection, behind: str | None = None, limit: int = 50, **wanted: Any
) -> EventPage:
    return EventPageQuery(EventFilter(**wanted), behind, limit).run(store)


def pages(store: apsw.Connection, **wanted: Any) -> Iterator[EventPage]:
    behind: str | None = None
    while True:
        found = page(store, behind, **wanted)
        yield found
        behind = found.next_behind
        if behind is None:
            return


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"service_account": "account-3"},
        {"service_account": "seldom"},
        {"service_accounts": ("seldom", "account-1", "account-2", "nobody")},
        {"service_accounts": ("seldom", "account-1"), "policy": "policy-1"},
        {"type": "token.refused"},
        {"type": "token.exchanged", "outcome": "success"},
        {"outcome": "refused"},
        {"reason": "blocked", "issuer": "github"},
        {"issuer": "github", "service_account": "account-3"},
        {"policy": "seldom"},
        {"policy": "policy-7"},
        {"since": NOW + 10 * HOUR, "until": NOW + 12 * HOUR},
        {"until": NOW + 90},
        {"since": NOW + 60 * (EVENTS - 2)},
        {"service_account": "account-3", "since": NOW + 10 * HOUR, "until": NOW + 12 * HOUR},
        {"since": NOW - HOUR, "until": NOW + 10**9},
        {"since": NOW + 10**9},
        {"since": NOW + 2 * HOUR, "until": NOW + HOUR},
    ],
)
def test_pages_give_each_event_that_is_wanted_once_and_in_order(
    store: apsw.Connection, wanted: dict[str, Any]
) -> None:
    found = [event.sequence for each in pages(store, **wanted) for event in each.events]

    assert found == [number + 1 for number in reversed(range(EVENTS)) if holds(number, **wanted)]


def holds(number: int, **wanted: Any) -> bool:
    event = of_number(number)
    facts: dict[str, Callable[[Any], bool]] = {
        "since": lambda since: event.time >= since,
        "until": lambda until: event.time < until,
        "policy": lambda policy: policy in event.policies,
        "service_accounts": lambda accounts: event.service_account in accounts,
    }
    return all(
        facts[name](value) if name in facts else getattr(event, name) == value
        for name, value in wanted.items()
    )


def test_what_is_rare_is_on_the_first_page_where_an_index_knows_it(store: apsw.Connection) -> None:
    searches: list[dict[str, Any]] = [
        {"service_account": "seldom"},
        {"type": "token.refused"},
        {"outcome": "refused", "issuer": "github"},
        {"reason": "blocked", "type": "token.refused"},
    ]
    for wanted in searches:
        found = page(store, **wanted)
        assert (len(found.events), found.next_behind) == (10, None)


def test_a_time_long_ago_is_on_the_first_page(store: apsw.Connection) -> None:
    found = page(store, since=NOW + 10 * HOUR, until=NOW + 10 * HOUR + 600)

    assert [event.sequence for event in found.events] == list(range(610, 600, -1))
    assert found.next_behind is None


def test_a_page_of_what_hardly_any_event_has_is_short_and_leads_on(store: apsw.Connection) -> None:
    found = page(store, policy="seldom")

    assert (found.events, found.next_behind) == ((), str(EVENTS - 200 + 1))


def test_nothing_is_missed_where_the_clock_was_ahead(tmp_path: Path) -> None:
    """A few events have the time of tomorrow, and those behind them that of today."""
    connection = open_for_writing(tmp_path / "broker.db")
    ahead = NOW + 24 * HOUR
    times = [
        *(NOW + number for number in range(500)),
        *(ahead + number for number in range(50)),
        *(NOW + 500 + number for number in range(500)),
    ]
    write(connection, [an_event(time) for time in times])
    try:
        for since, until in ((NOW, ahead), (NOW + 600, ahead), (ahead, ahead + HOUR)):
            found = [
                event.sequence
                for each in pages(connection, since=since, until=until)
                for event in each.events
            ]
            wanted = [n for n, time in enumerate(times, 1) if since <= time < until]
            assert found == wanted[::-1]
    finally:
        connection.close()


@pytest.mark.parametrize("position", ["", "x", "-1", "\u0661", "9" * 19, "1.0"])
def test_what_is_no_position_is_refused(store: apsw.Connection, position: str) -> None:
    with pytest.raises(ValueError, match="no number of an event"):
        page(store, position)


def test_an_empty_store_has_an_empty_page(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "broker.db")
    try:
        assert page(connection) == EventPage((), None)
    finally:
        connection.close()
