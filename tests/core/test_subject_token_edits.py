"""Tokens changed on the way: re-encoded, reordered, rewritten (attacks rows 14, 16, 37)."""

import base64
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.oracles import accepted_by_all, present_claims
from tests.core.tokens import Door, TokenMaker, base64url

Edit = Callable[[str], str]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def standard_alphabet(part: str) -> str:
    return part.replace("-", "+").replace("_", "/")


def padded(part: str) -> str:
    return part + "=" * (-len(part) % 4)


def next_last_character(part: str) -> str:
    return part[:-1] + ALPHABET[(ALPHABET.index(part[-1]) + 1) % 64]


def inside(edit: Callable[[bytes], bytes]) -> Edit:
    """An edit of what a part encodes."""

    def change(part: str) -> str:
        return base64url(edit(base64.urlsafe_b64decode(padded(part))))

    return change


EDITS: list[Edit] = [
    standard_alphabet,
    padded,
    next_last_character,
    lambda part: part + "=",
    lambda part: part + "A",
    lambda part: part[:-1],
    lambda part: part[: len(part) // 2] + "\n" + part[len(part) // 2 :],
    lambda part: " " + part,
    lambda part: part + "\x00",
    lambda part: part.swapcase(),
    lambda part: "",
    lambda part: part + part,
    inside(lambda text: b" " + text),
    inside(lambda text: text + b"\n"),
    inside(lambda text: text.replace(b"acme", b"evil")),
    inside(lambda text: text.replace(b"RS256", b"none")),
    inside(lambda text: text.replace(b"RS256", b"HS256")),
    inside(lambda text: text[:-1] + b',"sub":"repo:evil/x"}'),
    inside(lambda text: text[:-1] + b',"alg":"none"}'),
    inside(lambda text: text.decode("latin-1").encode("utf-16")),
    inside(lambda text: b"\xef\xbb\xbf" + text),
    inside(lambda text: text[::-1]),
]


@settings(max_examples=200, deadline=None)
@given(edits=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(EDITS)), min_size=1, max_size=2))
def test_no_token_edited_after_signing_is_accepted(
    edits: list[tuple[int, Edit]], door: Door, signed_token: TokenMaker
) -> None:
    token = signed_token.of(present_claims())
    parts = token.split(".")
    for place, edit in edits:
        try:
            parts[place] = edit(parts[place])
        except (ValueError, IndexError):
            return  # the first edit left nothing for the second to work on

    edited = ".".join(parts)

    assert edited == token or not accepted_by_all(edited, door, signed_token)


@pytest.mark.parametrize("edit", EDITS)
def test_no_token_edited_before_signing_is_accepted_that_an_oracle_refuses(
    edit: Edit, door: Door, signed_token: TokenMaker
) -> None:
    parts = signed_token.of(present_claims()).split(".")[:2]
    for place in (0, 1):
        edited = ".".join(edit(part) if place == i else part for i, part in enumerate(parts))
        signature = base64url(signed_token.sign(edited.encode()))

        accepted_by_all(f"{edited}.{signature}", door, signed_token)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_token_with_any_one_character_changed_is_refused(
    data: st.DataObject, door: Door, signed_token: TokenMaker
) -> None:
    token = signed_token()
    place = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(
        (st.sampled_from(ALPHABET) | st.characters()).filter(lambda other: other != token[place])
    )

    assert door.answer_to(token[:place] + character + token[place + 1 :]) is not None


@settings(max_examples=100, deadline=None)
@given(length=st.integers(0, 300), data=st.data())
def test_a_signature_of_any_bytes_does_not_hold(
    length: int, data: st.DataObject, door: Door, signed_token: TokenMaker
) -> None:
    signed = signed_token().rpartition(".")[0]
    forged = data.draw(st.binary(min_size=length, max_size=length))

    assert door.answer_to(f"{signed}.{base64url(forged)}") is not None
