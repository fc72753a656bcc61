"""The form of a subject token: one text for one meaning (attacks rows 1-2, 5-12, 14, 35-39, 58)."""

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.core import compact_jws
from broker.core.compact_jws import JwsRefused
from broker.core.errors import Reason, SubjectTokenRefused
from broker.core.subject_token import MAX_TOKEN_BYTES, parse
from tests.core.builders import github_claims
from tests.core.tokens import KEY_ID, Door, TokenMaker, base64url

STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")


def test_a_real_token_is_accepted(door: Door, signed_token: TokenMaker) -> None:
    claims = door.open_with(signed_token())

    assert claims == github_claims()


def test_a_parsed_token_says_how_it_was_signed(signed_token: TokenMaker) -> None:
    token = parse(signed_token())
    header, payload, signature = signed_token().split(".")

    assert (token.algorithm, token.key_id, token.token_type) == ("RS256", KEY_ID, "JWT")
    assert token.signed.decode() == f"{header}.{payload}"
    assert base64url(token.signature) == signature


def test_the_repr_of_a_parsed_token_holds_no_signature(signed_token: TokenMaker) -> None:
    token = parse(signed_token())

    assert "signature" not in repr(token)
    assert token.signed.decode() not in repr(token)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda token: "", id="nothing"),
        pytest.param(lambda token: "." * 2, id="three empty parts"),
        pytest.param(lambda token: token.rpartition(".")[0], id="two parts"),
        pytest.param(lambda token: token + ".x", id="four parts"),
        pytest.param(lambda token: token + ".x.y", id="five parts, as JWE"),
        pytest.param(lambda token: token + ".", id="a trailing dot"),
        pytest.param(lambda token: "." + token, id="a leading dot"),
        pytest.param(lambda token: token + "==", id="padding"),
        pytest.param(lambda token: token.replace(".", "=.", 1), id="padding of the header"),
        pytest.param(lambda token: token + "\n", id="a newline at the end"),
        pytest.param(lambda token: " " + token, id="a space before"),
        pytest.param(lambda token: token.replace(".", ". "), id="spaces within"),
        pytest.param(lambda token: token[:40] + "\n" + token[40:], id="a wrapped line"),
        pytest.param(lambda token: token + "é", id="a character beyond ASCII"),
        pytest.param(lambda token: token + "\ud800", id="a lone surrogate"),
        pytest.param(lambda token: token[:-1] + "\x00", id="a NUL"),
        pytest.param(lambda token: token[:-1], id="a signature cut to an impossible length"),
        pytest.param(lambda token: token.rpartition(".")[0] + ".", id="an empty signature"),
        pytest.param(lambda token: "Bearer " + token, id="a scheme before"),
        pytest.param(lambda token: json.dumps({"payload": token}), id="JSON serialisation"),
        pytest.param(lambda token: token + "A" * MAX_TOKEN_BYTES, id="too long"),
    ],
)
def test_anything_but_the_compact_form_is_malformed(
    change: Any, door: Door, signed_token: TokenMaker
) -> None:
    assert door.answer_to(change(signed_token())) is Reason.MALFORMED_TOKEN


@settings(max_examples=300, deadline=None)
@given(st.text("AQgw0Zz9-_+/=\n .", max_size=9) | st.binary(max_size=12).map(base64url))
@example("AA=")
@example("A===")
@example("AAA\0")
def test_only_the_one_text_of_a_value_is_decoded(text: str) -> None:
    inside = re.fullmatch(r"[A-Za-z0-9_-]*", text) is not None
    canonical = inside and len(text) % 4 != 1 and base64url(_decoded(text)) == text
    try:
        value, fault = compact_jws.decode(text.encode()), ""
    except JwsRefused as refusal:
        value, fault = None, str(refusal)

    assert value == (_decoded(text) if canonical else None)
    assert ("characters outside" in fault, "not canonical" in fault) == (
        not inside,
        inside and not canonical,
    )


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")


def test_the_standard_alphabet_is_malformed(door: Door, signed_token: TokenMaker) -> None:
    token = signed_token(note="\u00fb\u00ff" * 20)
    header, _, signature = token.split(".")
    payload = base64.b64encode(json.dumps({"note": "~~~???"}).encode()).decode().rstrip("=")

    assert set(payload) & set("+/")
    assert door.answer_to(f"{header}.{payload}.{signature}") is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize("part", [0, 1, 2])
def test_unused_bits_in_the_last_character_are_malformed(
    part: int, door: Door, signed_token: TokenMaker
) -> None:
    parts = signed_token(note="x").split(".")
    for padding in range(3):
        if len(parts[part]) % 4 in (2, 3):
            break
        parts = signed_token(note="x" * (padding + 2)).split(".")
    last = parts[part][-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    parts[part] = parts[part][:-1] + alphabet[alphabet.index(last) + 1]

    assert door.answer_to(".".join(parts)) is Reason.MALFORMED_TOKEN


def test_a_token_of_the_greatest_size_is_read(door: Door, signed_token: TokenMaker) -> None:
    room = (MAX_TOKEN_BYTES - len(signed_token(note=""))) * 3 // 4
    tokens = [signed_token(note="x" * length) for length in range(room - 9, room + 9)]
    by_size = {len(token): token for token in tokens}

    for size, token in by_size.items():
        expected = None if size <= MAX_TOKEN_BYTES else Reason.MALFORMED_TOKEN
        assert door.answer_to(token) is expected
    assert {MAX_TOKEN_BYTES, MAX_TOKEN_BYTES + 1} & by_size.keys()


@pytest.mark.parametrize("part", ["header", "payload"])
@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda text: text[:-1] + b',"alg":"none","iss":"x"}', id="duplicate member"),
        pytest.param(lambda text: text[:-1] + b',"x":NaN}', id="NaN"),
        pytest.param(lambda text: text[:-1] + b',"x":-Infinity}', id="Infinity"),
        pytest.param(lambda text: text[:-1] + b',"x":1e400}', id="out of range"),
        pytest.param(
            lambda text: text[:-1] + b',"x":' + b"[" * 900 + b"]" * 900 + b"}", id="nested"
        ),
        pytest.param(lambda text: text[:-1] + b',"x":' + b"9" * 4400 + b"}", id="many digits"),
        pytest.param(lambda text: text.decode().encode("utf-16"), id="UTF-16"),
        pytest.param(lambda text: b"\xef\xbb\xbf" + text, id="byte order mark"),
        pytest.param(lambda text: text[:-1] + b',"x":"\xff"}', id="not UTF-8"),
        pytest.param(lambda text: text + text, id="two objects"),
        pytest.param(lambda text: b"[" + text + b"]", id="a list"),
        pytest.param(lambda text: b"null", id="null"),
        pytest.param(lambda text: b"", id="nothing"),
    ],
)
def test_json_with_two_readings_is_malformed_though_well_signed(
    part: str, edit: Any, door: Door, signed_token: TokenMaker
) -> None:
    header, payload = signed_token.header(), json.dumps(github_claims()).encode()
    if part == "header":
        header = edit(header)
    else:
        payload = edit(payload)

    assert door.answer_to(signed_token.raw(header, payload)) is Reason.MALFORMED_TOKEN


def test_a_lone_surrogate_is_malformed_in_the_header_and_invalid_in_a_claim(
    door: Door, signed_token: TokenMaker
) -> None:
    in_header = signed_token.of(github_claims(), {"x": "\ud800"})
    in_claim = signed_token(workflow="\ud800")
    in_name = signed_token.of(github_claims() | {"\udc00": 1})

    assert door.answer_to(in_header) is Reason.MALFORMED_TOKEN
    assert door.answer_to(in_claim) is Reason.CLAIM_INVALID
    assert door.answer_to(in_name) is Reason.CLAIM_INVALID


@pytest.mark.parametrize("name", ["SUB", "Iss", "\u017fub", "i\u017f\u017f", "eXp", "JTI"])
def test_a_claim_that_differs_from_a_registered_one_by_case_is_malformed(
    name: str, door: Door, signed_token: TokenMaker
) -> None:
    token = signed_token.of(github_claims() | {name: "x"})

    assert door.answer_to(token) is Reason.MALFORMED_TOKEN


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", "\ud800", "eyJhbGciOiJub25lIn0.e30.", "A" * (MAX_TOKEN_BYTES + 1)],
)
def test_a_refusal_never_repeats_the_token(token: str) -> None:
    with pytest.raises(SubjectTokenRefused) as refused:
        parse(token)

    assert len(token) < 6 or token not in str(refused.value)
    assert str(refused.value).isascii()


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text("eyJhbGciOiJ9.=-_+/ \n\x00é", max_size=80))
@example("e30.e30.e30")
@example("bnVsbA.e30.AA")
def test_any_text_is_refused_and_nothing_else_happens(token: str) -> None:
    with pytest.raises(SubjectTokenRefused):
        parse(token)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
MEMBERS = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "x"])
    | st.text(max_size=4),
    JSON,
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(header=MEMBERS, claims=MEMBERS)
def test_any_members_well_signed_are_accepted_or_refused(
    header: dict[str, Any], claims: dict[str, Any], door: Door, signed_token: TokenMaker
) -> None:
    token = signed_token.of(github_claims() | claims, header)

    assert door.answer_to(token) is None or isinstance(door.answer_to(token), Reason)
