"""Cursors lead on in their own list alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.list_cursor import CursorRefused, read_cursor, write_cursor

FILTERS = st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3)


@given(st.text(max_size=10), FILTERS, st.text(alphabet=st.characters(codec="utf-8"), max_size=63))
def test_a_cursor_gives_back_where_a_list_ended(
    name: str, filters: dict[str, str], position: str
) -> None:
    cursor = write_cursor(name, filters, position)

    assert read_cursor(name, dict(reversed(filters.items())), cursor) == position
    assert cursor.isascii()
    assert "=" not in cursor


@given(FILTERS, FILTERS)
def test_a_cursor_of_other_filters_is_refused(one: dict[str, str], other: dict[str, str]) -> None:
    if one == other:
        return
    with pytest.raises(CursorRefused, match="belongs to another list, or to other filters"):
        read_cursor("list", other, write_cursor("list", one, "7"))


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(CursorRefused, match="belongs to another list"):
        read_cursor("services", {}, write_cursor("issuers", {}, "github"))


@given(st.text(max_size=600))
def test_no_other_text_is_a_cursor(text: str) -> None:
    with pytest.raises(CursorRefused):
        read_cursor("list", {}, text)


@pytest.mark.parametrize("text", ["", "x", "!", "=" * 4, "\u00e9", "A" * 513, "_w" * 20])
def test_what_is_no_base64_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(CursorRefused):
        read_cursor("list", {}, text)
