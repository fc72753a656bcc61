"""What a refused text plainly means, for whoever tells everything else that is wrong."""

import pytest

from broker.yaml_document import DocumentRefused, read


def meant_by(text: str) -> object:
    with pytest.raises(DocumentRefused) as caught:
        read(text, "f.yaml")
    return caught.value.document and caught.value.document.value


def test_scalars_that_readers_disagree_on_are_their_own_text() -> None:
    assert meant_by("a: [no, 012]\non: {b: 1:30}") == {"a": ["no", "012"], "on": {"b": "1:30"}}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("b: [", id="a bracket that is not closed"),
        pytest.param("b: &x 1", id="an anchor"),
        pytest.param("b: !!str 1", id="a tag"),
        pytest.param("<<: {b: 1}", id="a merge key"),
        pytest.param("a: 1", id="a key for the second time"),
        pytest.param("---\nb: 1", id="a second document"),
        pytest.param("b: x\u200by", id="an invisible character"),
        pytest.param(f"b: {'[' * 40}{']' * 40}", id="too deep nesting"),
    ],
)
def test_of_what_is_not_plain_nothing_is_meant(more: str) -> None:
    assert meant_by(f"a: no\n{more}") is None


def test_of_bytes_that_are_no_text_nothing_is_meant() -> None:
    with pytest.raises(DocumentRefused) as caught:
        read(b"a: \xff", "f.yaml")

    assert caught.value.document is None
