"""Client secrets: a form that every client sends alike, and nothing in the store but a digest."""

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.client_secret import LENGTH, digest, generate, is_well_formed

PEPPER = b"p" * 32


def test_every_secret_has_the_form_that_no_encoding_changes() -> None:
    secrets = {generate("live", os.urandom) for _ in range(1000)}

    assert len(secrets) == 1000
    for secret in secrets:
        assert re.fullmatch(r"sa_live_[A-Za-z0-9]{56}", secret)
        assert is_well_formed(secret)


@given(st.from_regex(r"[A-Za-z0-9]{1,16}", fullmatch=True))
def test_every_configured_prefix_gives_secrets_of_the_same_length(prefix: str) -> None:
    secret = generate(prefix, os.urandom)

    assert len(secret) == LENGTH
    assert secret.startswith(f"sa_{prefix}_")
    assert is_well_formed(secret)


def test_a_prefix_that_leaves_no_room_for_randomness_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        generate("x" * 24, os.urandom)


def test_bytes_that_would_favour_some_characters_are_not_used() -> None:
    drawn = iter([b"\xff" * 50, b"\x00" * 50])

    assert generate("live", lambda _: next(drawn))[:58] == "sa_live_" + "0" * 50


@given(place=st.integers(0, LENGTH - 1), character=st.sampled_from("0aZ_-é\n"))
def test_one_wrong_character_is_noticed_without_the_store(place: int, character: str) -> None:
    secret = generate("live", os.urandom)
    wrong = secret[:place] + character + secret[place + 1 :]

    assert is_well_formed(wrong) == (wrong == secret)


@pytest.mark.parametrize("text", ["", "sa_live_", "x" * LENGTH, "sa__" + "0" * 60, "é" * LENGTH])
def test_other_texts_are_no_secrets(text: str) -> None:
    assert not is_well_formed(text)


def test_the_digest_depends_on_the_secret_and_the_pepper_alone() -> None:
    secret = generate("live", os.urandom)

    assert digest(secret, PEPPER) == digest(secret, PEPPER)
    assert len(digest(secret, PEPPER)) == 32
    assert digest(secret, b"q" * 32) != digest(secret, PEPPER)


@given(st.text())
def test_any_text_has_a_digest(text: str) -> None:
    assert len(digest(text, PEPPER)) == 32
