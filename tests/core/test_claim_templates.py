"""Templates are literal text and known placeholders; values are never more than they look."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.claim_templates import (
    MAX_TEXT,
    Placeholder,
    is_value,
    parse_template,
)


def test_a_text_without_braces_is_one_literal() -> None:
    assert parse_template("ci").parts == ("ci",)


def test_literals_and_placeholders_stand_in_their_order() -> None:
    template = parse_template("{organization}/{metadata.team}:{workload.repository_id}!{sub}")

    assert template.parts == (
        Placeholder("organization"),
        "/",
        Placeholder("metadata", "team"),
        ":",
        Placeholder("workload", "repository_id"),
        "!",
        Placeholder("sub"),
    )
    assert template.literal_length == 3
    assert [each.source for each in template.placeholders()] == [
        "organization", "metadata", "workload", "sub",
    ]  # fmt: skip


def test_a_name_may_have_dots_of_its_own() -> None:
    assert parse_template("{metadata.cost.center}").parts == (
        Placeholder("metadata", "cost.center"),
    )


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "is empty"),
        ("{", "a brace"),
        ("}", "a brace"),
        ("a}b", "a brace"),
        ("{{sub}}", "a brace"),
        ("{sub", "a brace"),
        ("{sub}}", "a brace"),
        ("{}", "unknown placeholder {}"),
        ("{Sub}", "unknown placeholder {Sub}"),
        ("{ sub }", "unknown placeholder"),
        ("{sub.x}", "unknown placeholder"),
        ("{metadata}", "unknown placeholder"),
        ("{metadata.}", "unknown placeholder"),
        ("{metadata.a b}", "unknown placeholder"),
        ("{metadata.a/b}", "unknown placeholder"),
        ("{claims.admin}", "unknown placeholder"),
        ("{workload}", "unknown placeholder"),
        ("{workload." + "a" * 101 + "}", "unknown placeholder"),
        ("é", "printable ASCII"),
        ("a\nb", "printable ASCII"),
        ("a\x7f", "printable ASCII"),
        ("a" * (MAX_TEXT + 1), "longer than 256"),
    ],
)
def test_what_is_no_template_is_refused_with_a_reason(text: str, word: str) -> None:
    with pytest.raises(ValueError, match=re.escape(word)):
        parse_template(text)


@given(st.text(st.sampled_from("{}.ab metdaworkluisngzc_"), max_size=40) | st.text(max_size=20))
def test_a_template_that_is_read_says_what_was_written(text: str) -> None:
    try:
        template = parse_template(text)
    except ValueError:
        return

    def written(part: str | Placeholder) -> str:
        if isinstance(part, str):
            return part
        return "{" + part.source + ("." + part.name if part.name else "") + "}"

    assert "".join(map(written, template.parts)) == text
    assert not any("{" in part or "}" in part for part in template.parts if isinstance(part, str))


@pytest.mark.parametrize("text", ["a", "A.b_c-1", "...", "456789", "a" * 100])
def test_a_segment_is_a_value(text: str) -> None:
    assert is_value(text)
    assert is_value(text, path=True)


@pytest.mark.parametrize("text", ["acme/web", "a/b/c", "a/.b/c..d"])
def test_several_segments_are_a_value_only_where_a_path_is_expected(text: str) -> None:
    assert is_value(text, path=True)
    assert not is_value(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "a:b", "*", "a,b", "{sub}", "{metadata.x}", "a b", "a\n", "\n", "é", "\u212a", "a\x00",
        '"', "\\", "%2f", "a=b", "a@b", "a+b", ".", "..", "../a", "a/..", "a/./b", "/a", "a/",
        "a//b", "a" * 101, "a/" + "b" * 101, "\uff41",
    ],
)  # fmt: skip
def test_nothing_else_is_a_value(text: str) -> None:
    assert not is_value(text)
    assert not is_value(text, path=True)


@given(st.text(max_size=120))
def test_a_value_holds_nothing_that_ends_or_begins_a_part(text: str) -> None:
    if is_value(text, path=True):
        assert re.fullmatch(r"[A-Za-z0-9._/-]+", text)
        assert ".." not in text.split("/")
