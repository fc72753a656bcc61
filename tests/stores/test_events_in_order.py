"""Events of changes that were made beside the ledger's batches keep their place."""

import logging

import pytest

from broker.core.audit import GENESIS, ChainedEvent, chain
from broker.stores.events_in_order import EventsInOrder
from tests.stores.entries import an_event


def event(sequence: int) -> ChainedEvent:
    return chain(an_event(), sequence, GENESIS)


def test_what_is_held_comes_before_what_is_behind_it() -> None:
    passed: list[int] = []
    in_order = EventsInOrder(lambda each: passed.append(each.sequence))
    in_order.hold([event(3), event(4)])
    for sequence in (1, 2, 5):
        in_order(event(sequence))

    assert passed == [1, 2, 3, 4, 5]


def test_what_nothing_follows_is_passed_on_when_it_is_asked_for() -> None:
    passed: list[int] = []
    in_order = EventsInOrder(lambda each: passed.append(each.sequence))
    in_order.hold([event(1)])
    in_order.flush()
    in_order.flush()

    assert passed == [1]


def test_a_sink_that_fails_takes_nothing_else_down(caplog: pytest.LogCaptureFixture) -> None:
    passed: list[int] = []

    def sink(each: ChainedEvent) -> None:
        if each.sequence == 1:
            raise BrokenPipeError
        passed.append(each.sequence)

    in_order = EventsInOrder(sink)
    in_order.hold([event(1), event(2)])
    with caplog.at_level(logging.ERROR):
        in_order(event(3))

    assert passed == [2, 3]
    assert [record.message for record in caplog.records] == [
        "event 1 is stored, but was not passed on"
    ]
