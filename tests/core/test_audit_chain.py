"""The hash chain over audit events: what it covers and what shows."""

import hashlib
import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.audit import GENESIS, AuditEvent, ChainedEvent, SerializedEvent, chain, chain_hash
from broker.core.recorded_claims import RecordedObject

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def an_event(**members: Any) -> AuditEvent:
    values: dict[str, Any] = {
        "id": "0190-1",
        "time": 1_750_000_000.125,
        "type": "token.exchanged",
        "outcome": "success",
        "issuer": "github",
        "claims": {"repository": "acme/web", "ref": "refs/heads/main"},
        "policies": ("web-production",),
        "requested": {"scope": None, "audience": ["deploy-api"]},
        "scopes": ("deploy:read",),
    }
    return AuditEvent(**(values | members))


BEFORE = "7b774ae335b8ef372f187aba009c35395f095e3a4fb7b726227fb38683ca1842"
OBSERVED = {"kind": "would_deny", "reason": "denied_by_policy", "policies": ["no-forks"]}


def test_a_line_holds_every_member_in_the_order_of_the_contract() -> None:
    line = chain(an_event(would=OBSERVED, claims_left_out=("ref",)), 1, GENESIS).line()

    members = [member.name for member in fields(AuditEvent)]
    assert ["seq", *members, "prev", "hash"] == list(json.loads(line))


def test_an_event_that_nothing_was_observed_of_is_the_line_that_it_was_before() -> None:
    chained = chain(an_event(), 1, GENESIS)

    for name in ("would", "claims_left_out"):
        assert name not in chained.line()
        assert name not in an_event().members()
    # The hash of this very event as older versions wrote it.
    assert chained.hash == BEFORE


@pytest.mark.parametrize("would", [None, OBSERVED])
@pytest.mark.parametrize("left_out", [(), ("ref", "sub")])
def test_the_hash_holds_whatever_order_a_collector_keeps_members_in(
    would: Any, left_out: tuple[str, ...]
) -> None:
    event = an_event(would=would, claims_left_out=left_out)
    chained = chain(event, 1, GENESIS)
    mixed = json.loads(json.dumps(chained.members, sort_keys=True))

    assert chain_hash(mixed) == chained.hash
    assert SerializedEvent.of(event) == SerializedEvent.of_members(event.members())


def test_what_was_observed_is_part_of_the_hash() -> None:
    members = chain(an_event(would=OBSERVED), 1, GENESIS).members

    assert chain_hash(members | {"would": OBSERVED | {"kind": "same"}}) != members["hash"]
    assert (
        chain_hash({name: members[name] for name in members if name != "would"})
        != (members["hash"])
    )


def test_the_line_and_the_members_say_the_same() -> None:
    chained = chain(an_event(claims={"name": 'q"\\\n\u2028\U0001f600'}), 3, GENESIS)

    assert json.loads(chained.line()) == chained.members


def test_the_time_is_utc_with_milliseconds() -> None:
    assert chain(an_event(), 1, GENESIS).members["time"] == "2025-06-15T15:06:40.125Z"


def test_everything_unprintable_in_a_line_is_escaped() -> None:
    line = chain(an_event(subject="a\r\n\x1b[2J\x7f\u202e\ud800"), 1, GENESIS).line()

    assert line.isascii()
    assert line.isprintable()


def test_the_hash_is_of_the_line_without_it_and_with_the_digest_of_the_claims() -> None:
    chained = chain(an_event(), 1, GENESIS)

    claims = '{"ref":"refs/heads/main","repository":"acme/web"}'
    digest = hashlib.sha256(claims.encode()).hexdigest()
    text = chained.line().replace(claims, f'"{digest}"').replace(f',"hash":"{chained.hash}"', "")
    assert chained.hash == hashlib.sha256(text.encode()).hexdigest()


@given(claims=st.none() | st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=4))
def test_the_hash_can_be_computed_anew_from_a_line(claims: dict[str, Any] | None) -> None:
    chained = chain(an_event(claims=claims, changes=claims), 7, "a" * 64)

    assert chained.hash == chain_hash(json.loads(chained.line()))


TEXTS = st.none() | st.text(max_size=20)


@given(
    texts=st.fixed_dictionaries(
        dict.fromkeys(
            ["reason", "request_id", "issuer", "subject", "sub", "audience", "token_id", "target"],
            TEXTS,
        )
    ),
    names=st.lists(st.text(max_size=9), max_size=3).map(tuple),
    ttl=st.none() | st.integers(),
    duration=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    requested=st.none() | st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=4),
)
def test_both_ways_to_write_an_event_give_one_text(
    texts: dict[str, Any],
    names: tuple[str, ...],
    ttl: int | None,
    duration: float | None,
    requested: dict[str, Any] | None,
) -> None:
    event = an_event(
        **texts, policies=names, scopes=names, ttl=ttl, duration_ms=duration, requested=requested
    )

    assert SerializedEvent.of(event) == SerializedEvent.of_members(event.members())


def test_recorded_claims_are_written_as_they_are() -> None:
    text = '{"ref":"refs/heads/main","repository":"acme/web"}'
    recorded = an_event(claims=RecordedObject(text))

    assert len(recorded.claims or ()) == 2
    assert SerializedEvent.of(recorded) == SerializedEvent.of(an_event())


def test_the_hash_does_not_depend_on_the_order_of_the_members() -> None:
    changes = {"b": [{"y": 1, "x": 2}], "a": None}
    chained = chain(an_event(changes=changes), 1, GENESIS)
    reordered = json.loads(json.dumps(chained.members, sort_keys=True))

    assert chained.hash == chain_hash(reordered)


def edited(chained: ChainedEvent, name: str, value: object) -> dict[str, Any]:
    return chained.members | {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seq", 2),
        ("prev", "f" * 64),
        ("outcome", "refused"),
        ("reason", "blocked"),
        ("claims", {"repository": "acme/web", "ref": "refs/heads/other"}),
        ("claims", None),
        ("scopes", ["deploy:read", "deploy:write"]),
        ("requested", {"scope": None, "audience": []}),
        ("stranger", None),
    ],
)
def test_any_edit_changes_the_hash(name: str, value: object) -> None:
    chained = chain(an_event(), 1, GENESIS)

    assert chain_hash(edited(chained, name, value)) != chained.hash


def test_two_places_give_two_hashes() -> None:
    event = SerializedEvent.of(an_event())
    places = [(1, GENESIS), (2, GENESIS), (1, "b" * 64)]

    assert len({event.at(sequence, prev).hash for sequence, prev in places}) == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_without_json_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        SerializedEvent.of(an_event(claims={"n": value}))
