"""Following the chain of audit events: whatever is done to it is found, and named in words."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.audit import ERASED, GENESIS, AuditEvent, SerializedEvent, chain_hash
from broker.core.audit_chain import (
    START,
    ChainReport,
    Head,
    LineRefused,
    Position,
    StoredEvent,
    link_of_line,
    verify_chain,
)

TIME = "2026-11-25T21:30:00.000Z"


def a_chain(length: int, *, after: Position = START, **members: Any) -> list[StoredEvent]:
    """Make events that follow one another, as a store keeps them."""
    found = []
    last = after
    for place in range(after.sequence + 1, after.sequence + 1 + length):
        event = AuditEvent(
            **{
                "id": f"event-{place}",
                "time": 1_795_300_000.0 + place,
                "type": "token.exchanged",
                "outcome": "success",
                "subject": 'repo:"claims":"x"',
                "claims": {"repository": "acme/web", "run_id": place, "claims": "ä"},
                "requested": {"audience": ["deploy-api"], "scope": None},
                **members,
            }
        )
        chained = SerializedEvent.of(event).at(place, last.hash)
        found.append(StoredEvent(place, chained.covered, chained.event.claims, chained.hash))
        last = Position(place, chained.hash)
    return found


CHAIN = a_chain(6)
LINES = [event.line().encode() for event in CHAIN]


def verify(events: Sequence[StoredEvent], *heads: Head, **begins: Any) -> ChainReport:
    return verify_chain((event.link() for event in events), heads, **begins)


def verify_lines(lines: Sequence[bytes], *heads: Head) -> ChainReport:
    return verify_chain(map(link_of_line, lines), heads, begins_after=None)


def head(event: StoredEvent) -> Head:
    return Head(Position(event.sequence, event.hash), TIME)


def erased(event: StoredEvent) -> StoredEvent:
    return replace(event, claims=ERASED)


def test_a_whole_chain_is_accepted() -> None:
    report = verify(CHAIN)

    assert report.ok
    assert report.as_json() == {
        "ok": True,
        "events": 6,
        "heads": 0,
        "heads_before": 0,
        "claims_erased": 0,
        "begins_after": 0,
        "last": {"seq": 6, "hash": CHAIN[-1].hash},
    }


def test_a_chain_without_events_is_whole() -> None:
    assert verify([]).as_json()["last"] is None
    assert verify([]).ok


def test_a_broken_chain_names_the_first_broken_event_and_what_is_wrong() -> None:
    edited = replace(CHAIN[2], covered=CHAIN[2].covered.replace("success", "refused"))
    report = verify([*CHAIN[:2], edited, *CHAIN[3:]])

    members = report.as_json()
    assert (members["ok"], members["events"], members["first_broken"]) == (False, 3, 3)
    assert members["fault"] == "event 3: it was changed: its hash is not that of its content"
    assert members["last"] == {"seq": 2, "hash": CHAIN[1].hash}


@given(
    place=st.integers(0, 5),
    column=st.sampled_from(["covered", "claims", "hash"]),
    at=st.floats(0, 1, exclude_max=True),
    byte=st.integers(0, 127).map(chr),
)
def test_any_edit_of_one_byte_is_found(place: int, column: str, at: float, byte: str) -> None:
    text = getattr(CHAIN[place], column)
    index = int(at * len(text))
    changed = replace(CHAIN[place], **{column: text[:index] + byte + text[index + 1 :]})
    events = [*CHAIN[:place], changed, *CHAIN[place + 1 :]]

    report = verify(events)

    assert report.ok == (changed == CHAIN[place])
    if not report.ok:
        assert report.first_broken == place + 1


@given(place=st.integers(0, 5), at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_any_edit_of_one_byte_of_a_line_is_found(place: int, at: float, byte: int) -> None:
    line = bytearray(LINES[place])
    line[int(at * len(line))] = byte
    lines = [*LINES[:place], bytes(line), *LINES[place + 1 :]]

    try:
        report = verify_lines(lines)
    except LineRefused:
        return
    # One that only writes the same anew (\u00e4 as \u00E4) is no edit of the event.
    same = json.loads(bytes(line)) == json.loads(LINES[place])
    assert report.ok == same


@given(place=st.integers(0, 4))
def test_a_deleted_event_is_found(place: int) -> None:
    report = verify([*CHAIN[:place], *CHAIN[place + 1 :]])

    assert report.first_broken == place + 1
    assert report.fault is not None
    assert report.fault.startswith(f"event {place + 1} is missing")


def test_several_missing_events_are_named() -> None:
    assert verify([CHAIN[0], *CHAIN[4:]]).fault == "events 2 to 4 are missing"


@given(one=st.integers(0, 5), other=st.integers(0, 5))
def test_two_events_that_changed_places_are_found(one: int, other: int) -> None:
    events = list(CHAIN)
    events[one], events[other] = events[other], events[one]

    assert verify(events).ok == (one == other)


@given(one=st.integers(0, 5), other=st.integers(0, 5))
def test_two_events_that_changed_their_content_are_found(one: int, other: int) -> None:
    events = list(CHAIN)
    events[one] = replace(CHAIN[other], sequence=one + 1)
    events[other] = replace(CHAIN[one], sequence=other + 1)

    assert verify(events).ok == (one == other)


@given(place=st.integers(0, 6), copied=st.integers(0, 5))
def test_an_inserted_event_is_found(place: int, copied: int) -> None:
    assert not verify([*CHAIN[:place], CHAIN[copied], *CHAIN[place:]]).ok


def test_a_repeated_event_is_told_as_one() -> None:
    assert verify([*CHAIN[:3], CHAIN[1]]).fault == (
        "event 2 comes after event 3: events were reordered or repeated"
    )


def test_an_event_of_before_the_beginning_is_found() -> None:
    begin = Position(4, CHAIN[3].hash)

    assert verify(CHAIN[2:], begins_after=begin).fault == (
        "event 3 stands before the beginning: events were reordered or repeated"
    )


def test_an_event_that_was_replaced_along_with_its_hash_is_found() -> None:
    [forged] = a_chain(1, after=Position(2, CHAIN[1].hash), outcome="refused")

    report = verify([*CHAIN[:2], forged, *CHAIN[3:]])
    assert report.first_broken == 4
    assert report.fault is not None
    assert "but that of event 3 is" in report.fault


@pytest.mark.parametrize("text", ["", "{}", "[]", "no JSON", '{"claims":"', '{"seq":1,"prev":7}'])
def test_what_is_no_event_is_found(text: str) -> None:
    report = verify([replace(CHAIN[0], covered=text)])

    assert (report.first_broken, report.events) == (1, 1)
    assert report.fault == "event 1: it cannot be read, or says that it has another place"


def test_edited_claims_are_told_from_other_edits() -> None:
    edited = replace(CHAIN[1], claims=CHAIN[1].claims.replace("acme", "evil"))

    assert verify([CHAIN[0], edited]).fault == "event 2: its claims were changed"


# --- Erased claims --------------------------------------------------------------------------------


def test_erased_claims_leave_the_chain_whole_and_are_counted() -> None:
    report = verify([CHAIN[0], erased(CHAIN[1]), *map(erased, CHAIN[2:4]), *CHAIN[4:]])

    assert (report.ok, report.erased) == (True, 3)


def test_a_line_with_erased_claims_verifies_and_says_so() -> None:
    lines = [erased(CHAIN[0]).line().encode(), *LINES[1:]]

    members = json.loads(lines[0])
    assert members["claims"] is None
    assert members["claims_erased"] == json.loads(CHAIN[0].covered)["claims"]
    assert list(members)[:13][-2:] == ["claims", "claims_erased"]
    report = verify_lines(lines)
    assert (report.ok, report.erased) == (True, 1)


def test_the_hash_of_an_event_with_erased_claims_can_be_computed_anew() -> None:
    assert chain_hash(erased(CHAIN[0]).members()) == CHAIN[0].hash


@pytest.mark.parametrize(
    "changes",
    [
        {"claims_erased": "0" * 64},
        {"claims_erased": None},
        {"claims": {"repository": "evil/web"}},
        {"claims": []},
    ],
)
def test_claims_cannot_be_passed_off_as_erased(changes: dict[str, Any]) -> None:
    members = erased(CHAIN[0]).members() | changes

    assert not verify_lines([json.dumps(members).encode()]).ok


def test_no_text_stands_in_for_erased_claims() -> None:
    assert not verify([replace(CHAIN[0], claims="null")]).ok


# --- Heads ----------------------------------------------------------------------------------------


def test_heads_that_hold_are_counted() -> None:
    report = verify(CHAIN, head(CHAIN[1]), head(CHAIN[1]), head(CHAIN[5]))

    assert (report.ok, report.heads, report.heads_before) == (True, 3, 0)


@given(kept=st.integers(0, 5), length=st.integers(0, 6))
def test_a_cut_tail_is_found_by_a_head_behind_it(kept: int, length: int) -> None:
    report = verify(CHAIN[:length], head(CHAIN[kept]))

    assert report.ok == (kept < length)
    if not report.ok:
        assert report.first_broken == length + 1


def test_a_cut_tail_is_told_with_the_last_of_the_heads() -> None:
    report = verify(CHAIN[:2], head(CHAIN[3]), head(CHAIN[5]), head(CHAIN[4]))

    assert report.fault == (
        "the chain ends at event 2, but it had event 6 when a head was signed at"
        " 2026-11-25T21:30:00.000Z: its tail was cut off"
    )


@given(rebuilt_from=st.integers(0, 5), kept=st.integers(0, 5))
def test_a_rebuilt_chain_is_found_by_a_head_in_it(rebuilt_from: int, kept: int) -> None:
    begin = Position(rebuilt_from, CHAIN[rebuilt_from - 1].hash) if rebuilt_from else START
    rebuilt = [
        *CHAIN[:rebuilt_from],
        *a_chain(6 - rebuilt_from, after=begin, outcome="refused"),
    ]

    assert verify(rebuilt).ok
    report = verify(rebuilt, head(CHAIN[kept]))
    assert report.ok == (kept < rebuilt_from)
    if not report.ok:
        assert report.first_broken == kept + 1


def test_a_rebuilt_chain_is_told_with_what_still_holds() -> None:
    begin = Position(2, CHAIN[1].hash)
    rebuilt = [*CHAIN[:2], *a_chain(4, after=begin, outcome="refused")]

    report = verify(rebuilt, head(CHAIN[0]), head(CHAIN[4]))
    assert report.fault == (
        "event 5 has another hash than in the head signed at 2026-11-25T21:30:00.000Z: the chain"
        " was rebuilt after event 1"
    )


# --- A beginning that is not the first event ------------------------------------------------------


@given(pruned=st.integers(1, 6))
def test_a_pruned_chain_is_whole_behind_its_beginning(pruned: int) -> None:
    begin = Position(pruned, CHAIN[pruned - 1].hash)
    report = verify(CHAIN[pruned:], *map(head, CHAIN), begins_after=begin)

    assert report.ok
    assert (report.heads, report.heads_before) == (6 - pruned, pruned)


@given(cut=st.integers(1, 5))
def test_a_beginning_that_was_cut_off_is_found(cut: int) -> None:
    report = verify(CHAIN[cut:])

    assert report.first_broken == 1
    assert report.fault is not None
    assert report.fault.endswith("at the beginning: nothing signed says that they were pruned")


def test_a_beginning_that_was_cut_further_is_found() -> None:
    report = verify(CHAIN[4:], begins_after=Position(2, CHAIN[1].hash))

    assert report.first_broken == 3
    assert report.fault == (
        "events 3 to 4 are missing at the beginning: what was pruned ends with event 2"
    )


def test_a_head_of_the_last_pruned_event_is_compared_as_well() -> None:
    begin = Position(2, CHAIN[1].hash)
    other = Head(Position(2, "f" * 64), TIME)

    assert verify(CHAIN[2:], other, begins_after=begin).first_broken == 3


def test_a_part_of_a_chain_can_be_verified_by_itself() -> None:
    report = verify_lines(LINES[2:5], head(CHAIN[0]), head(CHAIN[3]))

    assert (report.ok, report.events) == (True, 3)
    assert report.begins_after == Position(2, CHAIN[1].hash)
    assert (report.heads, report.heads_before) == (1, 1)


# --- Lines ----------------------------------------------------------------------------------------


def test_members_may_have_been_reordered_on_their_way() -> None:
    lines = [json.dumps(json.loads(line), sort_keys=True, indent=1).encode() for line in LINES]

    assert verify_lines(lines).ok


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no JSON",
        b"[1]",
        b"\xff",
        b'{"seq":1,"seq":1}',
        b'{"seq":NaN}',
        b"[" * 100_000,
        b'{"seq":true,"prev":"","hash":""}',
        b'{"seq":1,"prev":null,"hash":""}',
    ],
)
def test_a_line_that_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(LineRefused):
        link_of_line(line)


@pytest.mark.parametrize("name", ["claims", "id", "time"])
def test_a_line_without_a_member_is_found(name: str) -> None:
    members = json.loads(LINES[0])
    del members[name]

    assert not verify_lines([json.dumps(members).encode()]).ok


def test_a_member_that_comes_twice_is_refused_whatever_the_readers_take() -> None:
    line = LINES[0].replace(b'{"seq"', b'{"outcome":"refused","seq"')

    with pytest.raises(LineRefused):
        link_of_line(line)


def test_the_line_of_a_stored_event_is_that_of_the_chained_one() -> None:
    event = AuditEvent("id", 0.0, "token.refused", "refused", subject='"claims":"\\', count=2)
    chained = SerializedEvent.of(event).at(1, GENESIS)
    stored = StoredEvent(1, chained.covered, chained.event.claims, chained.hash)

    assert stored.line() == chained.line()
    assert stored.members() == chained.members


def test_an_event_whose_text_was_damaged_has_no_line() -> None:
    with pytest.raises(ValueError, match="no digest"):
        replace(CHAIN[0], covered="{}").line()
