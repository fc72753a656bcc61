"""How claims read as text, and when they count as absent (attacks rows 53-57)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.claims import fold_ascii, is_absent, is_printable_ascii, text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("main", "main"),
        (" ", " "),
        (42, "42"),
        (-7, "-7"),
        (0, "0"),
        (2**70, "1180591620717411303424"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_strings_integers_and_booleans_have_a_text(value: object, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize("value", [None, "", 42.0, 42.9, [], ["a"], {}, {"a": "b"}])
def test_nothing_else_has_a_text(value: object) -> None:
    assert text_of(value) is None


@pytest.mark.parametrize(
    ("value", "absent"),
    [(None, True), ("", True), (0, False), (False, False), ([], False), ({}, False), ("x", False)],
)
def test_only_null_and_the_empty_string_count_as_absent(value: object, absent: bool) -> None:
    assert is_absent(value) is absent


@pytest.mark.parametrize("text", ["acme/web", "~ !", "$(id);\"'"])
def test_printable_ascii_runs_from_space_to_tilde(text: str) -> None:
    assert is_printable_ascii(text)


@pytest.mark.parametrize(
    "text",
    ["\u043ecto-org", "\uff41cme", "\u212aube", "\u017fub", "a\u202eb", "a\x00", "a\r\nb",
     "a\x1b[0m", "a\x7f", "a\x85", "\ud800"],
)  # fmt: skip
def test_look_alikes_and_control_characters_are_not_printable_ascii(text: str) -> None:
    assert not is_printable_ascii(text)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Octo-Org/WEB", "octo-org/web"),
        ("PROD-É", "prod-É"),
        ("\u212aIT", "\u212ait"),
        ("\u017fUB", "\u017fub"),
        ("İI", "İi"),
        ("", ""),
    ],
)
def test_folding_lowers_a_to_z_and_nothing_else(text: str, folded: str) -> None:
    assert fold_ascii(text) == folded


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_folding_never_makes_a_letter_of_another_character(text: str) -> None:
    expected = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)

    assert fold_ascii(text) == expected
