"""Audit events as rows of RFC 4180."""

import csv
import io
import json

import pytest

from broker.core.audit import GENESIS, AuditEvent, chain
from broker.core.audit_csv import HEADER, header, row

EVENT = chain(
    AuditEvent(
        id="one",
        time=1_795_300_000.0,
        type="token.exchanged",
        outcome="success",
        subject='a "quoted", thing',
        claims={"ref": "refs/heads/main"},
        policies=("a", "b"),
        would={"kind": "same"},
        claims_left_out=("sub",),
        ttl=600,
        duration_ms=0.4,
    ),
    1,
    GENESIS,
).members


def test_the_header_is_every_member_in_the_order_of_the_line() -> None:
    assert header() == ",".join(EVENT) + "\r\n"


def test_a_row_has_every_member_and_ends_as_the_rfc_says() -> None:
    text = row(EVENT)

    assert text.endswith("\r\n")
    [cells] = csv.reader(io.StringIO(text, newline=""), strict=True)
    shown = dict(zip(HEADER, cells, strict=True))
    assert shown["subject"] == 'a "quoted", thing'
    assert shown["ttl"] == "600"
    assert shown["duration_ms"] == "0.4"
    assert shown["reason"] == ""
    assert json.loads(shown["claims"]) == {"ref": "refs/heads/main"}
    assert json.loads(shown["policies"]) == ["a", "b"]
    assert shown["hash"] == EVENT["hash"]


@pytest.mark.parametrize("absent", ["would", "claims_left_out"])
def test_of_a_member_that_an_event_has_not_the_cell_is_empty(absent: str) -> None:
    [cells] = csv.reader([row({name: EVENT[name] for name in EVENT if name != absent})])

    assert cells[HEADER.index(absent)] == ""


def test_erased_claims_are_an_empty_cell() -> None:
    [cells] = csv.reader([row(EVENT | {"claims": None, "claims_erased": "x"})])

    assert cells[HEADER.index("claims")] == ""


def test_a_cell_stays_on_its_line() -> None:
    text = row({"target": "a\r\nb\0"})

    assert text.count("\n") == 1
    assert "a\\r\\nb\\0" in text
