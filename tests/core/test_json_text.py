"""Strict JSON: every text has one meaning or none (attacks §0, rows 36-38)."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.json_text import MAX_DEPTH, JsonRefused, loads_object

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    """An object with `levels` levels in all."""
    return ('{"a":' + opening * (levels - 1) + closing * (levels - 1) + "}").encode()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"{}", {}),
        (b' \t\r\n{"a" : 1} \n', {"a": 1}),
        (b'{"a":null,"b":true,"c":[1,"x",{}]}', {"a": None, "b": True, "c": [1, "x", {}]}),
        (b'{"a":1.5}', {"a": 1.5}),
        (b'{"a":"\\u00e9\xc3\xa9"}', {"a": "éé"}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
    ],
)
def test_an_object_in_utf_8_is_read(text: bytes, value: object) -> None:
    assert loads_object(text) == value


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"{", "not JSON", id="half an object"),
        pytest.param(b"{}{}", "not JSON", id="two objects"),
        pytest.param(b"{'a':1}", "not JSON", id="single quotes"),
        pytest.param(b'{"a":1,}', "not JSON", id="trailing comma"),
        pytest.param(b'{"a":01}', "not JSON", id="leading zero"),
        pytest.param(b'{"a":"\n"}', "not JSON", id="raw newline in a string"),
        pytest.param(b'{"a":"\x00"}', "not JSON", id="raw NUL in a string"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', "not JSON", id="byte order mark"),
        pytest.param('{"a":1}'.encode("utf-16"), "not UTF-8", id="UTF-16"),
        pytest.param('{"a":1}'.encode("utf-16-le"), "not JSON", id="UTF-16 without a mark"),
        pytest.param(b'{"a":"\xff"}', "not UTF-8", id="a byte outside UTF-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', "not UTF-8", id="an encoded surrogate"),
        pytest.param(b'{"a":"\xc0\xaf"}', "not UTF-8", id="an overlong encoding"),
        pytest.param(b"[]", "not a JSON object", id="a list"),
        pytest.param(b'"{}"', "not a JSON object", id="a string"),
        pytest.param(b"null", "not a JSON object", id="null"),
        pytest.param(b'{"a":1,"a":1}', "a member name appears twice", id="a duplicate"),
        pytest.param(b'{"a":1,"\\u0061":1}', "a member name appears twice", id="escaped duplicate"),
        pytest.param(b'{"a":{"b":1,"b":2}}', "a member name appears twice", id="nested duplicate"),
        pytest.param(b'{"a":NaN}', "NaN and Infinity are not JSON", id="NaN"),
        pytest.param(b'{"a":Infinity}', "NaN and Infinity are not JSON", id="Infinity"),
        pytest.param(b'{"a":[-Infinity]}', "NaN and Infinity are not JSON", id="minus Infinity"),
        pytest.param(b'{"a":1e400}', "a number is out of range", id="1e400"),
        pytest.param(b'{"a":-1e999}', "a number is out of range", id="minus 1e999"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", "not JSON", id="an integer of 5000 digits"),
        pytest.param(b'{"a":"\\ud800"}', "a lone surrogate", id="a lone surrogate"),
        pytest.param(b'{"a":[["\\udc00"]]}', "a lone surrogate", id="a nested lone surrogate"),
        pytest.param(b'{"\\udfff":1}', "a lone surrogate", id="a lone surrogate in a name"),
    ],
)
def test_an_ambiguous_or_broken_text_is_refused(text: bytes, cause: str) -> None:
    with pytest.raises(JsonRefused, match=f"^{cause}$"):
        loads_object(text)


def test_only_a_lone_surrogate_is_told_apart_from_malformed_text() -> None:
    with pytest.raises(JsonRefused) as surrogate:
        loads_object(b'{"a":"\\ud800"}')
    with pytest.raises(JsonRefused) as other:
        loads_object(b'{"a":NaN}')

    assert surrogate.value.surrogate
    assert not other.value.surrogate


def test_escapes_that_form_characters_are_no_lone_surrogates() -> None:
    text = b'{"\\u006e":["\\u0041",1,null,{"\\ud83d\\ude00":true}]}'

    assert loads_object(text) == {"n": ["A", 1, None, {"😀": True}]}


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"b":', "}")])
def test_as_many_levels_as_the_bound_are_read(opening: str, closing: str) -> None:
    inside = "1" if opening != "[" else ""
    text = '{"a":' + opening * (MAX_DEPTH - 1) + inside + closing * (MAX_DEPTH - 1) + "}"

    assert loads_object(text.encode())


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 900, 100_000])
def test_one_level_more_than_the_bound_is_refused(levels: int) -> None:
    with pytest.raises(JsonRefused, match=r"^nested too deeply$"):
        loads_object(nested(levels))


def test_many_brackets_side_by_side_are_not_deep() -> None:
    text = json.dumps({"a": [[] for _ in range(100)], "b": [{} for _ in range(100)]}).encode()

    assert len(loads_object(text)["a"]) == 100


def test_the_bound_on_depth_can_be_chosen() -> None:
    assert loads_object(nested(3), max_depth=3) == {"a": [[]]}
    with pytest.raises(JsonRefused):
        loads_object(nested(4), max_depth=3)


def test_a_refusal_never_repeats_the_text() -> None:
    with pytest.raises(JsonRefused) as refused:
        loads_object(b'{"password":"hunter2","password":1}')

    assert "password" not in str(refused.value)
    assert refused.value.__cause__ is None


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_an_object_or_refused(text: bytes) -> None:
    try:
        value = loads_object(text)
    except JsonRefused:
        return
    assert isinstance(value, dict)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.text(st.characters(codec="utf-8")), JSON_VALUES, max_size=4), st.booleans()
)
def test_what_was_written_is_what_is_read(value: dict[str, object], ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode()

    assert loads_object(text, max_depth=100) == value


@settings(max_examples=100, deadline=None)
@given(st.floats(), st.integers())
def test_every_number_read_is_finite(decimal: float, integer: int) -> None:
    try:
        value = loads_object(json.dumps({"a": decimal, "b": integer}).encode())
    except JsonRefused:
        assert not math.isfinite(decimal)
    else:
        assert value == {"a": decimal, "b": integer}
