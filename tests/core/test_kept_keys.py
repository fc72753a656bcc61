"""What is kept of an issuer's keys: for which configuration, for how long, and which of two."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.kept_keys import (
    MAX_AGE,
    MAX_AHEAD,
    KeptKeys,
    counts,
    read_kept,
    supersedes,
    written,
)
from broker.core.policy import Issuer, KeySource, Replay

NOW = 1_800_000_000.0
GITLAB = Issuer("gitlab", "https://gitlab.corp.example", frozenset({"https://broker.example"}))
KEPT = KeptKeys(b'{"keys": []}', NOW)


@given(
    document=st.text(st.characters(exclude_categories=["Cs"])),
    since=st.floats(0, 4e9),
    uploaded=st.booleans(),
)
def test_what_is_written_is_read_back(document: str, since: float, *, uploaded: bool) -> None:
    kept = KeptKeys(document.encode(), since, uploaded=uploaded)

    assert read_kept(GITLAB, written(GITLAB, kept)) == kept


@pytest.mark.parametrize(
    "other",
    [
        replace(GITLAB, name="gitlab-2"),
        replace(GITLAB, url="https://gitlab.corp.example/"),
        replace(GITLAB, algorithms=frozenset({"RS256"})),
        replace(GITLAB, keys=KeySource(jwks_uri="https://keys.corp.example/jwks")),
        replace(GITLAB, keys=KeySource(ca_certificates=b"another authority")),
        replace(GITLAB, keys=KeySource(proxy="http://proxy.corp.example:3128")),
    ],
)
def test_keys_are_those_of_exactly_one_configuration(other: Issuer) -> None:
    assert read_kept(other, written(GITLAB, KEPT)) is None
    assert read_kept(GITLAB, written(other, KEPT)) is None
    assert read_kept(other, written(other, KEPT)) == KEPT


def test_what_says_nothing_of_keys_may_change() -> None:
    other = replace(
        GITLAB, contact="x", enabled=False, replay=Replay.SINGLE_USE, audiences=frozenset({"x"})
    )

    assert read_kept(other, written(GITLAB, KEPT)) == KEPT


def test_another_version_is_not_read() -> None:
    text = written(GITLAB, KEPT).replace(b'"version":1', b'"version":2')

    assert read_kept(GITLAB, text) is None


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'"x"', b"\xff"])
def test_what_was_not_written_here_raises(text: bytes) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        read_kept(GITLAB, text)


@pytest.mark.parametrize(
    ("age", "count"),
    [
        (0, True), (MAX_AGE - 1, True), (MAX_AGE, False),
        (-MAX_AHEAD, True), (-MAX_AHEAD - 1, False), (float("nan"), False), (float("inf"), False),
    ],
)  # fmt: skip
def test_keys_count_for_a_day_and_not_before_their_time(age: float, *, count: bool) -> None:
    assert counts(NOW - age, NOW) is count


def test_newer_keys_take_the_place_of_older_ones_and_not_the_reverse() -> None:
    assert supersedes(NOW - 1, NOW - 2, NOW)
    assert not supersedes(NOW - 2, NOW - 1, NOW)
    assert not supersedes(NOW - 1, NOW - 1, NOW)


def test_keys_of_a_clock_far_ahead_give_way_to_any() -> None:
    assert not supersedes(NOW, NOW + MAX_AHEAD, NOW)
    assert supersedes(NOW, NOW + MAX_AHEAD + 1, NOW)
