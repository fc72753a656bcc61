"""An export that is cut off, edited or of something else is refused at the line at fault."""

import json
from dataclasses import replace
from typing import Any

import pytest

from broker.core.audit import GENESIS, AuditEvent, SerializedEvent
from broker.core.audit_chain import LineRefused
from broker.core.simulation import export_lines
from broker.core.simulation.export_lines import ExportLines

HEAD = b'{"type":"audit.head","seq":3,"hash":"x","time":"2026-11-26T00:00:00.000Z"}\n'


def an_event(number: int, **members: Any) -> AuditEvent:
    claims = {"ref": "refs/heads/main", "run": str(number)}
    event = AuditEvent(f"e-{number}", 1.8e9 + number, "token.exchanged", "success", claims=claims)
    return replace(event, **members)


def exported(*events: AuditEvent) -> list[bytes]:
    prev, lines = GENESIS, []
    for sequence, event in enumerate(events, start=5):
        chained = SerializedEvent.of(event).at(sequence, prev)
        prev = chained.hash
        lines.append(f"{chained.line()}\n".encode())
    return lines


THREE = exported(*map(an_event, range(3)))


def read(lines: list[bytes]) -> list[dict[str, Any]]:
    reading = ExportLines()
    found = [reading.event(line) for line in lines]
    return [each for each in found if each is not None]


def refusal(lines: list[bytes]) -> tuple[int, str]:
    """Give the first line that is refused, by its number, and why."""
    reading = ExportLines()
    for number, line in enumerate(lines, start=1):
        try:
            reading.event(line)
        except LineRefused as refused:
            return number, str(refused)
    pytest.fail("nothing was refused")


def test_a_whole_export_is_read_with_heads_and_blank_lines_between() -> None:
    events = read([THREE[0], b"\n", THREE[1], HEAD, THREE[2]])

    assert [each["id"] for each in events] == ["e-0", "e-1", "e-2"]


def test_the_last_line_needs_no_end() -> None:
    assert len(read([*THREE[:2], THREE[2].rstrip()])) == 3


def test_a_line_that_is_cut_off_is_refused() -> None:
    assert refusal([THREE[0], THREE[1][:-20]]) == (2, "is not JSON: the export is cut off")


@pytest.mark.parametrize("edit", [(b"heads/main", b"heads/evil"), (b"success", b"refused")])
def test_an_edited_line_is_refused(edit: tuple[bytes, bytes]) -> None:
    number, fault = refusal([THREE[0], THREE[1].replace(*edit)])

    assert number == 2
    assert "event 6: it was changed" in fault


def test_a_missing_and_a_repeated_event_are_refused() -> None:
    assert refusal([THREE[0], THREE[2]]) == (
        2,
        "is not the next event: event 6 is missing",
    )
    assert refusal([THREE[0], THREE[0]])[0] == 2


def test_an_event_of_another_chain_is_refused() -> None:
    other = exported(*(an_event(number, outcome="error") for number in range(3)))

    number, fault = refusal([THREE[0], other[1]])
    assert number == 2
    assert "one of the two was replaced" in fault


def test_members_in_another_order_are_the_same_event() -> None:
    turned = json.dumps(dict(reversed(json.loads(THREE[1]).items()))).encode() + b"\n"

    assert len(read([THREE[0], turned, THREE[2]])) == 3


@pytest.mark.parametrize(
    "claims",
    [
        None,
        {"service_account": "x", "a": {"b": "c"}, "claims": '"claims":'},
        {"a": {"b": 1}, "service_account": {"c": 1}},
        {"é": "ü"},
    ],
)
def test_whatever_is_claimed_the_line_is_held_against_its_hash(claims: Any) -> None:
    lines = exported(an_event(0, claims=claims, changes={"a": {"b": 1}}), an_event(1))

    assert read(lines)[0]["claims"] == claims


def test_erased_claims_leave_their_digest() -> None:
    event = json.loads(THREE[1])
    digest = SerializedEvent.of(an_event(1)).claims_digest
    text = THREE[1].decode()
    claims = json.dumps(event["claims"], separators=(",", ":"))
    erased = text.replace(f'"claims":{claims}', f'"claims":null,"claims_erased":"{digest}"')

    assert read([THREE[0], erased.encode(), THREE[2]])[1]["claims_erased"] == digest
    forged = erased.replace(digest, "0" * 64).encode()
    assert refusal([THREE[0], forged])[0] == 2
    unended = text.replace(f'"claims":{claims}', '"claims":null,"claims_erased":"}')
    assert refusal([THREE[0], unended.encode()])[0] == 2


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"not json\n", "is not JSON"),
        (b"[1]\n", "is not a JSON object"),
        (b'{"a": NaN}\n', "is not JSON"),
        (b"[" * 100_000 + b"\n", "is not JSON"),
        (b"\xff\n", "is not UTF-8"),
        (b'{"eventSource": "s3", "eventName": "GetObject"}\n',
         "is no audit event of a broker: it has no `type` and `id`"),
        (b'{"type":"a","id":"b","seq":true,"prev":"c","hash":"d"}\n',
         "has no `seq`, `prev` and `hash`"),
        (b'{"type":"a","id":"b","seq":1}\n', "has no `seq`, `prev` and `hash`"),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused(line: bytes, fault: str) -> None:
    assert refusal([line]) == (1, fault)


def test_a_line_longer_than_any_event_is_refused() -> None:
    line = b'{"type":"a","id":"' + b"x" * export_lines.MAX_LINE_BYTES + b'"}\n'

    assert refusal([line]) == (1, f"is longer than {export_lines.MAX_LINE_BYTES} bytes")


def test_events_without_a_chain_are_read_but_not_among_others() -> None:
    bare = b'{"type":"a","id":"b"}\n'
    reading = ExportLines()
    assert reading.event(bare) is not None
    assert reading.chained is False

    assert refusal([bare, THREE[0]])[0] == 2
    assert refusal([THREE[0], bare])[0] == 2
