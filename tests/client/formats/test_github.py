"""Outputs and variables of a step, read as the runner reads them."""

import pytest
from hypothesis import given

from broker.client.formats import FormatOptions, FormatRefused, render
from tests.client.formats.tokens import END_TIME, HOSTILE, TOKEN, holding

DELIMITER = "broker_8c0e2a6f5b9d4e7f"
OPTIONS = FormatOptions(
    {"GITHUB_OUTPUT": "/runner/output", "GITHUB_ENV": "/runner/env"}, delimiter=DELIMITER
)


def test_outputs_are_those_of_the_action() -> None:
    rendering = render("github", TOKEN, OPTIONS)

    (appended,) = rendering.appended
    assert appended.path == "/runner/output"
    assert appended.text == (
        f"token<<{DELIMITER}\n{TOKEN.access_token}\n{DELIMITER}\n"
        f"expires-at<<{DELIMITER}\n{END_TIME}\n{DELIMITER}\n"
    )
    assert rendering.text == f"::add-mask::{TOKEN.access_token}\n"
    assert rendering.written == ()


def test_variables_for_later_steps_have_to_be_asked_for() -> None:
    (appended,) = render("github-env", TOKEN, OPTIONS).appended

    assert appended.path == "/runner/env"
    assert appended.text == (
        f"BROKER_TOKEN<<{DELIMITER}\n{TOKEN.access_token}\n{DELIMITER}\n"
        f"BROKER_TOKEN_EXPIRES_AT<<{DELIMITER}\n{END_TIME}\n{DELIMITER}\n"
    )


@given(text=HOSTILE)
def test_the_mask_is_what_the_runner_unescapes(text: str) -> None:
    mask = render("github", holding(text), OPTIONS).text

    assert mask.startswith("::add-mask::")
    escaped = mask.removeprefix("::add-mask::").removesuffix("\n")
    unescaped = escaped.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    assert unescaped == text


@pytest.mark.parametrize("delimiter", ["", "c2lnbmF0dXJl"])
def test_a_delimiter_that_the_token_holds_is_refused(delimiter: str) -> None:
    options = FormatOptions({"GITHUB_OUTPUT": "/runner/output"}, delimiter=delimiter)

    with pytest.raises(FormatRefused, match="delimiter"):
        render("github", TOKEN, options)


@pytest.mark.parametrize(
    ("name", "variable"), [("github", "GITHUB_OUTPUT"), ("github-env", "GITHUB_ENV")]
)
def test_outside_a_step_there_is_nowhere_to_write(name: str, variable: str) -> None:
    with pytest.raises(FormatRefused, match=f"{variable} is not set"):
        render(name, TOKEN, FormatOptions(delimiter=DELIMITER))
