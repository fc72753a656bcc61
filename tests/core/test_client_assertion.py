"""Assertions that clients sign themselves: one reading, and nothing that is not refused by name."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.client_assertion import MAX_LIFE, MAX_SKEW, made_by_client, read, registered_keys
from broker.core.errors import RequestRefused
from broker.testing.jws import generate_key, public_jwk

BROKER = "https://broker.example"
NOW = 1_795_300_000
GOOD: dict[str, Any] = {
    "iss": "cron", "sub": "cron", "aud": BROKER, "exp": NOW + 60, "iat": NOW, "jti": "x",
}  # fmt: skip

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def compact(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), bytes(64))
    return ".".join(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in parts)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda each: each.decode("latin-1")))
def test_any_text_is_taken_apart_or_is_none(text: str) -> None:
    assert made_by_client(text) is None


@given(
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "jwk"]), values),
    claims=st.dictionaries(st.sampled_from([*GOOD, "nbf"]), values),
    beside=st.none() | st.sampled_from(["cron", "another"]),
)
def test_whatever_it_holds_it_is_good_or_refused(
    header: dict[str, Any], claims: dict[str, Any], beside: str | None
) -> None:
    token = made_by_client(compact({"alg": "ES256"} | header, GOOD | claims))
    if token is None:
        return
    try:
        assertion = read(token, beside, BROKER, NOW)
    except RequestRefused:
        return
    assert beside in (None, assertion.client_id)
    assert "://" not in assertion.client_id
    assert 0 < len(assertion.token_id) <= 255
    # It is remembered for longer than it counts.
    assert assertion.remembered_until > token.claims["exp"] + MAX_SKEW


@given(exp=st.integers(-400, 400), iat=st.integers(-1000, 100), later=st.integers(0, 400))
def test_it_counts_for_a_while_and_is_remembered_for_as_long(
    exp: int, iat: int, later: int
) -> None:
    token = made_by_client(
        compact({"alg": "ES256"}, GOOD | {"exp": NOW + exp, "iat": max(NOW + iat, 1)})
    )
    assert token is not None
    now = NOW + later
    counts = -MAX_SKEW < NOW + exp - now <= MAX_LIFE and NOW + iat <= now + MAX_SKEW
    try:
        assertion = read(token, None, BROKER, now)
    except RequestRefused:
        assert not counts
    else:
        assert counts
        assert now < assertion.remembered_until


@pytest.mark.parametrize("issuer", [BROKER, "https://gitlab.com", "spiffe://x", "://"])
def test_an_issuer_is_no_client(issuer: str) -> None:
    assert made_by_client(compact({"alg": "ES256"}, GOOD | {"iss": issuer, "sub": issuer})) is None


def test_keys_that_a_rule_refuses_by_now_count_no_longer() -> None:
    key = public_jwk(generate_key("ES256"), "ES256", "key-1")

    assert len(registered_keys({"keys": [key]}, "key-1")) == 1
    assert registered_keys({"keys": [key | {"use": "enc"}]}, "key-1") == ()
    assert registered_keys({}, "") == ()
