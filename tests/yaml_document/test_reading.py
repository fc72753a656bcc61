"""What strict YAML reads, and that every value knows its place."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.errors import ConfigurationError
from broker.yaml_document import MAX_BYTES, MAX_DEPTH, Tree, read


@pytest.mark.parametrize("text", ["", "\n", "# a comment alone\n", "---\n", "--- # nothing\n"])
def test_an_empty_file_is_an_empty_mapping(text: str) -> None:
    assert read(text, "f.yaml").value == {}


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("text", "text"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("1234567", 1_234_567),
        ('"012"', "012"),
        ("'no'", "no"),
        ('"2027-06-30"', "2027-06-30"),
        ("1.2.3", "1.2.3"),
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("10m", "10m"),
        ("600/m", "600/m"),
        ("refs/heads/main", "refs/heads/main"),
        ("deploy:write", "deploy:write"),
        ("nope", "nope"),
        ("-", [None]),
        ("0abc", "0abc"),
        ("1e", "1e"),
        ("+", "+"),
        (".", "."),
        ("Größe", "Größe"),
    ],
)
def test_a_plain_scalar_reads_as_every_yaml_reader_would(scalar: str, value: Tree) -> None:
    assert read(f"key:\n  {scalar}\n", "f.yaml").value == {"key": value}


def test_a_tree_of_mappings_and_lists_is_read_in_order() -> None:
    document = read("b: [1, {c: x}]\na:\n- v\n- [w]\n", "f.yaml")

    assert document.value == {"b": [1, {"c": "x"}], "a": ["v", ["w"]]}
    assert list(document.value) == ["b", "a"]


def test_text_in_bytes_is_read_as_utf_8() -> None:
    assert read("name: Käse".encode(), "f.yaml").value == {"name": "Käse"}


def test_every_value_and_key_knows_its_place() -> None:
    document = read("a:\n  b: [x, {c: 1}]\n  é: w\n", "f.yaml")

    assert document.place(("a",)) == (2, 3)
    assert document.key_place(("a", "b")) == (2, 3)
    assert document.place(("a", "b")) == (2, 6)
    assert document.place(("a", "b", 1, "c")) == (2, 14)
    assert document.key_place(("a", "b", 1, "c")) == (2, 11)
    assert document.key_place(("a", "b", 0)) == (2, 7)
    assert document.place(("a", "é")) == (3, 6)


def test_the_place_of_what_is_absent_is_that_of_the_nearest_value_above() -> None:
    document = read("a:\n  b: x\n", "f.yaml")

    assert document.place(("a", "b", "c", 0)) == (2, 6)
    assert document.key_place(("a", "z")) == (2, 3)
    assert document.key_place(("a", "b", 0)) == (2, 6)
    assert document.key_place(()) == (1, 1)
    assert document.place(()) == (1, 1)


def test_a_problem_names_the_file_and_the_place() -> None:
    document = read("a:\n  b: x\n", "policies/web.yaml")

    assert str(document.problem(("a", "b"), "is wrong")) == "policies/web.yaml:2:6: is wrong"
    assert str(document.problem(("a", "b"), "is wrong", at_key=True)).startswith(
        "policies/web.yaml:2:3:"
    )


def test_the_source_lines_stay_with_the_document() -> None:
    document = read("a: 1  # allow: SOMETHING on purpose\nb: 2\n", "f.yaml")

    assert document.lines[0] == "a: 1  # allow: SOMETHING on purpose"


def test_a_text_key_may_look_like_a_date_or_an_old_word() -> None:
    document = read("expires: 2027-06-30\nlimit: off\n", "f.yaml", text_keys=["expires", "limit"])

    assert document.value == {"expires": "2027-06-30", "limit": "off"}


def test_a_mapping_of_the_greatest_depth_is_read() -> None:
    text = "{a: " * MAX_DEPTH + "x" + "}" * MAX_DEPTH

    assert read(text, "f.yaml").place(("a",) * MAX_DEPTH) == (1, 4 * MAX_DEPTH + 1)


def test_a_file_of_the_greatest_size_is_read() -> None:
    text = "# " + "x" * (MAX_BYTES - 2)

    assert read(text, "f.yaml").value == {}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_mapping_or_a_configuration_error(text: bytes) -> None:
    _read_or_refuse(text)


@given(st.text(alphabet="abn o1-0x_.:,'\"[]{}&*!|>%@`?#~<\n\t\ufeff\u202e\\=e", max_size=60))
def test_any_yaml_like_text_is_a_mapping_or_a_configuration_error(text: str) -> None:
    _read_or_refuse(text)


def _read_or_refuse(text: str | bytes) -> None:
    with suppress(ConfigurationError):
        assert all(isinstance(key, str) for key in read(text, "f.yaml").value)
