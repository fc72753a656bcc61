"""Audit events as rows of RFC 4180."""

import csv
import io
import json

from broker.core import audit_csv
from broker.core.audit import GENESIS, AuditEvent, chain

EVENT = chain(
    AuditEvent(
        id="one",
        time=1_795_300_000.0,
        type="token.exchanged",
        outcome="success",
        subject='a "quoted", thing',
        claims={"ref": "refs/heads/main"},
        policies=("a", "b"),
        ttl=600,
        duration_ms=0.4,
    ),
    1,
    GENESIS,
).members


def test_the_header_is_every_member_in_the_order_of_the_line() -> None:
    assert audit_csv.header() == ",".join(EVENT) + "\r\n"


def test_a_row_has_every_member_and_ends_as_the_rfc_says() -> None:
    text = audit_csv.row(EVENT)

    assert text.endswith("\r\n")
    [cells] = csv.reader(io.StringIO(text, newline=""), strict=True)
    row = dict(zip(audit_csv.HEADER, cells, strict=True))
    assert row["subject"] == 'a "quoted", thing'
    assert row["ttl"] == "600"
    assert row["duration_ms"] == "0.4"
    assert row["reason"] == ""
    assert json.loads(row["claims"]) == {"ref": "refs/heads/main"}
    assert json.loads(row["policies"]) == ["a", "b"]
    assert row["hash"] == EVENT["hash"]


def test_erased_claims_are_an_empty_cell() -> None:
    [cells] = csv.reader([audit_csv.row(EVENT | {"claims": None, "claims_erased": "x"})])

    assert cells[audit_csv.HEADER.index("claims")] == ""


def test_a_cell_stays_on_its_line() -> None:
    text = audit_csv.row({"target": "a\r\nb\0"})

    assert text.count("\n") == 1
    assert "a\\r\\nb\\0" in text
