"""What holds for all formats alike."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.cli.pipeline.format_output import FORMAT_NAMES
from broker.client.formats import FORMATS, FormatOptions, FormatRefused, render
from broker.client.service_token import ServiceToken
from tests.client.formats.tokens import HOSTILE, INVISIBLE, TOKEN, VISIBLE, holding

OPTIONS = FormatOptions(
    environment={
        "GITHUB_OUTPUT": "/runner/output",
        "GITHUB_ENV": "/runner/env",
    },
    delimiter="broker_0123456789abcdef",
    file="/run/token",
    server="registry.example.com",
)


def everything(name: str, token: ServiceToken) -> str:
    rendering = render(name, token, OPTIONS)
    parts = [rendering.text, *(each.text for each in (*rendering.appended, *rendering.written))]
    return "".join(parts)


@pytest.mark.parametrize("name", sorted(FORMATS))
@given(before=st.text(max_size=4), sign=INVISIBLE, after=VISIBLE)
@example(before="", sign="\n", after="host=evil.example")
@example(before="a", sign="\r", after="b")
@example(before="a", sign="\0", after="b")
@example(before="", sign=" ", after="b")
def test_what_no_token_holds_is_written_nowhere(
    name: str, before: str, sign: str, after: str
) -> None:
    with pytest.raises(FormatRefused) as refused:
        everything(name, holding(before + sign + after))

    assert len(after) < 8 or after not in str(refused.value)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_an_empty_token_is_written_nowhere(name: str) -> None:
    with pytest.raises(FormatRefused):
        everything(name, holding(""))


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_token_is_in_what_is_written(name: str) -> None:
    assert TOKEN.access_token in everything(name, TOKEN)


@pytest.mark.parametrize("name", sorted(FORMATS))
@given(text=HOSTILE)
def test_no_token_adds_a_line(name: str, text: str) -> None:
    try:
        written = everything(name, holding(text))
    except FormatRefused:
        return

    assert written.count("\n") == everything(name, TOKEN).count("\n")
    assert re.fullmatch(r"[\x20-\x7e\n]*", written)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_no_rendering_shows_its_text(name: str) -> None:
    rendering = render(name, TOKEN, OPTIONS)

    assert TOKEN.access_token not in repr(rendering)
    assert TOKEN.access_token not in repr(OPTIONS)


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(FormatRefused, match=r"no format 'yaml'; there are: raw, json, shell"):
        render("yaml", TOKEN, OPTIONS)


def test_the_command_knows_two_formats_more() -> None:
    assert len(set(FORMAT_NAMES)) == len(FORMAT_NAMES)
    assert set(FORMAT_NAMES) - set(FORMATS) == {"aws-credential-process", "gcp-external-account"}


@pytest.mark.parametrize("ends", [10**12, -(10**15), 10**30])
@pytest.mark.parametrize("name", ["shell", "json", "exec-credential", "terraform-external"])
def test_a_time_beyond_the_calendar_is_refused(name: str, ends: int) -> None:
    token = ServiceToken("abc", "Bearer", expires_in=600, expires_at=ends)

    with pytest.raises(FormatRefused, match="a time that is out of range"):
        render(name, token, OPTIONS)
