"""Refusals that anyone can cause share one event a minute (contract §6, attacks row 179)."""

from itertools import count

import pytest

from broker.core.audit import AuditEvent
from broker.core.errors import Reason
from broker.core.refusal_counts import (
    MAX_EVENTS_PER_WINDOW,
    WINDOW_SECONDS,
    RefusalCounts,
    address_prefix,
)

MINUTE = 29_921_666 * WINDOW_SECONDS


@pytest.fixture
def counts() -> RefusalCounts:
    numbers = count(1)
    return RefusalCounts(lambda now: f"id-{next(numbers)}")


def test_alike_refusals_of_one_minute_are_one_event(counts: RefusalCounts) -> None:
    first = counts.count(Reason.MALFORMED_TOKEN, "192.0.2.1", MINUTE)
    again = counts.count(Reason.MALFORMED_TOKEN, "192.0.2.1", MINUTE + 59.9)

    assert first == again == "id-1"
    assert counts.take_all() == [
        AuditEvent(
            id="id-1",
            time=MINUTE,
            type="token.refused",
            outcome="refused",
            reason="malformed_token",
            client_address="192.0.2.1",
            count=2,
        )
    ]


def test_another_minute_address_or_reason_is_another_event(counts: RefusalCounts) -> None:
    ids = [
        counts.count(Reason.MALFORMED_TOKEN, "192.0.2.1", MINUTE),
        counts.count(Reason.MALFORMED_TOKEN, "192.0.2.1", MINUTE + 60),
        counts.count(Reason.MALFORMED_TOKEN, "192.0.2.2", MINUTE),
        counts.count(Reason.SIGNATURE_INVALID, "192.0.2.1", MINUTE),
        counts.count(Reason.MALFORMED_TOKEN, None, MINUTE),
    ]

    assert len(set(ids)) == 5


def test_only_ended_minutes_are_handed_over_oldest_first(counts: RefusalCounts) -> None:
    counts.count(Reason.MALFORMED_TOKEN, None, MINUTE + 60)
    counts.count(Reason.MALFORMED_TOKEN, None, MINUTE + 30)
    counts.count(Reason.MALFORMED_TOKEN, None, MINUTE + 120)

    ended = counts.take_ended(MINUTE + 120)

    assert [event.time for event in ended] == [MINUTE + 30, MINUTE + 60]
    assert counts.take_ended(MINUTE + 120) == []
    assert [event.time for event in counts.take_all()] == [MINUTE + 120]
    assert counts.take_all() == []


@pytest.mark.parametrize("reason", [Reason.ISSUER_UNAVAILABLE, Reason.STORE_UNAVAILABLE])
def test_what_is_the_broker_s_own_trouble_is_an_error(
    reason: Reason, counts: RefusalCounts
) -> None:
    counts.count(reason, None, MINUTE)

    assert [event.outcome for event in counts.take_all()] == ["error"]


def test_a_flood_from_many_addresses_is_counted_in_bounded_memory(counts: RefusalCounts) -> None:
    flood = MAX_EVENTS_PER_WINDOW + 500
    for number in range(flood):
        address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        counts.count(Reason.MALFORMED_TOKEN, address, MINUTE)
    known = counts.count(Reason.MALFORMED_TOKEN, "10.0.0.0", MINUTE)

    events = counts.take_all()

    assert len(events) == MAX_EVENTS_PER_WINDOW + 1
    assert sum(event.count or 0 for event in events) == flood + 1
    assert [event.count for event in events if event.client_address is None] == [500]
    assert [event.count for event in events if event.id == known] == [2]


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, None),
        ("", None),
        ("testclient", None),
        ("192.0.2.7:8080", None),
        ("192.0.2.7\r\nx", None),
    ],
)
def test_one_caller_is_an_ipv4_address_or_an_ipv6_network(
    address: str | None, prefix: str | None
) -> None:
    assert address_prefix(address) == prefix
