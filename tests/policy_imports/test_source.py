"""Reading files of peers: every place is known, and what is ambiguous or too much is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.errors import ConfigurationError
from broker.policy_imports.json_places import json_places
from broker.policy_imports.source import MAX_BYTES, read_json, read_yaml

TREES = st.recursive(
    st.one_of(st.text('ab"\\{}[],: \u00e9', max_size=5), st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text('k"\\:,', max_size=3), inner, max_size=3),
    ),
    max_leaves=8,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Any:
    yield path, value
    if isinstance(value, dict | list):
        for step, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(child, (*path, step))


@given(st.dictionaries(st.text('k"', max_size=3), TREES, max_size=4), st.sampled_from([None, 1, 3]))
def test_every_value_is_where_it_is_said_to_be(tree: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(tree, indent=indent)
    lines = text.split("\n")
    places = json_places(text)

    for path, value in paths(tree):
        line, column = places.place(path)
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        assert json.JSONDecoder().raw_decode(rest)[0] == value
        if path and isinstance(path[-1], str):
            line, column = places.key_place(path)
            assert lines[line - 1][column - 1 :].startswith(json.dumps(path[-1]))


def test_what_is_absent_is_where_its_parent_is() -> None:
    places = json_places('{"a":\n {}}')

    assert places.place(("a", "b", 1)) == (2, 2)
    assert places.key_place(("a", "b")) == (2, 2)
    assert json_places("").place(("a",)) == (1, 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"a": 1, "a": 2}', "a member name appears twice"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a":' * 30 + b"1" + b"}" * 30, "nested too deeply"),
        (b'{"a": "' + b"x" * MAX_BYTES + b'"}', "larger than"),
        (b'{"a": "x\\ny"}', "an invisible or control character"),
        (b'{"a\\u202e": 1}', "an invisible or control character"),
        (b'{"a": [' + b"1," * 10_001 + b"1]}", "more than 10000 values"),
    ],
)
def test_hostile_json_is_refused(text: bytes, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        read_json(text, "role.json")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"a: &x 1\n", "the anchor"),
        (b"a: !!python/object x\n", "the tag"),
        (b"a: 1\na: 2\n", "here twice"),
        (b"a: x\n---\nb: x\n", "a second document"),
        (b"a: x\x00\n", "control character"),
        (b"a: " + b"x" * MAX_BYTES, "larger than"),
        (b'a: "x\\ny"\n', "an invisible or control character"),
        (b"a: [" + b"x," * 10_001 + b"x]\n", "more than 10000 values"),
    ],
)
def test_hostile_yaml_is_refused(text: bytes, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        read_yaml(text, "web.sts.yaml")
