"""Signed heads: what they say, who signed them, and what is not believed."""

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import OKPKey

from broker.core.audit_chain import Head, Position
from broker.core.audit_head import (
    Checkpoint,
    HeadKey,
    HeadRefused,
    HeadTyp,
    HeadVerifier,
    is_head_line,
    read_checkpoint,
)

KEY = HeadKey.of_seed(bytes(range(32)))
OTHER = HeadKey.of_seed(bytes(32))
VERIFIER = KEY.verifier()
POSITION = Position(7, "a" * 64)
NOW = 1_795_300_000.25
TIME = "2026-11-21T22:26:40.250Z"
HEAD = KEY.head(POSITION, NOW)
LINE = HEAD.line().encode()


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_head_says_where_the_chain_ended_and_when_in_plain_and_signed() -> None:
    members = json.loads(LINE)

    assert list(members) == ["type", "seq", "hash", "time", "jws"]
    assert members | {"jws": ""} == {
        "type": "audit.head",
        "seq": 7,
        "hash": "a" * 64,
        "time": TIME,
        "jws": "",
    }
    assert VERIFIER.read(members["jws"], HeadTyp.HEAD) == Head(POSITION, TIME)
    assert HEAD.sequence == 7


def test_two_other_libraries_verify_a_head() -> None:
    public = jwt.PyJWK(dict(VERIFIER.jwk))
    payload = jwt.decode(HEAD.jws, public, algorithms=["EdDSA"])
    with pytest.warns(SecurityWarning, match="RFC 9864"):  # calls the algorithm Ed25519
        theirs = joserfc_jws.deserialize_compact(
            HEAD.jws, OKPKey.import_key(dict(VERIFIER.jwk)), algorithms=["EdDSA"]
        )

    assert payload == {"seq": 7, "hash": "a" * 64, "time": TIME}
    assert json.loads(theirs.payload) == payload
    assert theirs.headers() == {"alg": "EdDSA", "kid": VERIFIER.key_id, "typ": "audit-head+jwt"}


def test_the_key_id_is_the_thumbprint_of_the_key() -> None:
    key = OKPKey.import_key(dict(VERIFIER.jwk))

    assert key.thumbprint() == VERIFIER.key_id
    assert HeadVerifier.of_jwk(dict(VERIFIER.jwk)) == VERIFIER


def test_the_public_key_has_no_private_member_and_the_key_no_telling_repr() -> None:
    assert VERIFIER.jwk.keys() == {"kty", "crv", "x", "use", "alg", "kid"}
    assert base64.urlsafe_b64encode(bytes(range(32)))[:20].decode() not in repr(KEY)


def test_a_head_is_no_beginning_and_a_beginning_no_head() -> None:
    beginning = KEY.sign(POSITION, NOW, HeadTyp.BEGINNING)

    assert VERIFIER.read(beginning, HeadTyp.BEGINNING).position == POSITION
    with pytest.raises(HeadRefused, match=r"it is no audit-head\+jwt"):
        VERIFIER.read(beginning, HeadTyp.HEAD)
    with pytest.raises(HeadRefused, match=r"it is no audit-beginning\+jwt"):
        VERIFIER.read(HEAD.jws, HeadTyp.BEGINNING)


def test_another_key_is_not_believed() -> None:
    with pytest.raises(HeadRefused, match="another key"):
        VERIFIER.read(OTHER.head(POSITION, NOW).jws, HeadTyp.HEAD)


@given(at=st.floats(0, 1, exclude_max=True), character=st.characters(max_codepoint=126))
def test_no_edit_of_a_signed_head_is_believed_as_another(at: float, character: str) -> None:
    index = int(at * len(HEAD.jws))
    edited = HEAD.jws[:index] + character + HEAD.jws[index + 1 :]

    try:
        read = VERIFIER.read(edited, HeadTyp.HEAD)
    except HeadRefused:
        return
    assert read == Head(POSITION, TIME)


HEADER = {"alg": "EdDSA", "kid": VERIFIER.key_id, "typ": "audit-head+jwt"}


@pytest.mark.parametrize(
    "jws",
    [
        None,
        7,
        "",
        "a.b",
        "a.b.c",
        "....",
        "ä.ö.ü",
        "a" * 5000,
        f"{segment([])}.{segment({})}.",
        f"{segment({**HEADER, 'alg': 'none'})}.{segment({})}.",
        f"{segment({**HEADER, 'crit': ['b64']})}.{segment({})}.",
        f"{segment({**HEADER, 'jwk': dict(OTHER.verifier().jwk)})}.{segment({})}.",
        f"{segment(HEADER)}.{segment({'seq': 7})}.",
        f"{segment(HEADER)}.{segment({'seq': 7})}.{segment('x')}",
    ],
)
def test_what_is_not_signed_is_refused(jws: object) -> None:
    with pytest.raises(HeadRefused):
        VERIFIER.read(jws, HeadTyp.HEAD)


@pytest.mark.parametrize("payload", [b"[]", b"{}", b"no JSON", b"\xff"])
def test_what_is_signed_but_no_head_is_refused(payload: bytes) -> None:
    signed = f"{segment(HEADER)}.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}"
    signature = base64.urlsafe_b64encode(KEY._key.sign(signed.encode())).rstrip(b"=").decode()

    with pytest.raises(HeadRefused, match="not a signed head"):
        VERIFIER.read(f"{signed}.{signature}", HeadTyp.HEAD)


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        {},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        {"kty": "OKP", "crv": "Ed25519"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": 7},
        {"kty": "OKP", "crv": "Ed25519", "x": "ä"},
    ],
)
def test_a_jwk_of_another_kind_is_refused(jwk: object) -> None:
    with pytest.raises(HeadRefused, match="JWK"):
        HeadVerifier.of_jwk(jwk)


# --- Checkpoints ----------------------------------------------------------------------------------


def checkpoint(*lines: bytes) -> Checkpoint:
    return read_checkpoint(lines, VERIFIER)


def test_heads_are_found_among_events_logs_and_anything() -> None:
    event = json.dumps({"seq": 1, "type": "token.refused", "subject": '"audit.head"'}).encode()
    later = KEY.head(Position(9, "b" * 64), NOW)
    kept = checkpoint(b"\xff\n", event, LINE, b"no JSON audit.head", b"[]", later.line().encode())

    assert kept == Checkpoint((Head(POSITION, TIME), Head(later.position, TIME)), ())


def test_a_head_that_comes_twice_counts_once() -> None:
    assert len(checkpoint(LINE, LINE).heads) == 1


def test_a_forged_head_is_reported_and_not_believed() -> None:
    forged = LINE.replace(b"a" * 64, b"b" * 64)
    foreign = OTHER.head(Position(8, "c" * 64), NOW).line().encode()
    kept = checkpoint(b"", forged, LINE, foreign, b'{"type":"audit.head"}')

    assert [head.position for head in kept.heads] == [POSITION]
    assert [(each.number, each.why) for each in kept.refused] == [
        (2, "it says something else than what was signed"),
        (4, "it was signed by another key"),
        (5, "it is not signed"),
    ]


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        (LINE, True),
        (b'{"type":"audit.head"}', True),
        (b'{"type":"token.refused","subject":"\\"audit.head\\""}', False),
        (b'["audit.head"]', False),
        (b'"audit.head"' + b"[" * 100_000, False),
    ],
)
def test_a_line_that_says_it_is_a_head_is_told_from_others(line: bytes, is_one: bool) -> None:
    assert is_head_line(line) == is_one
