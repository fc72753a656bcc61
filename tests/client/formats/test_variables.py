"""Variables, read back by the shells and readers that read them in a job."""

import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.client.formats import FormatOptions, FormatRefused, render
from broker.client.formats.variables import quoted
from tests.client.formats.tokens import END_TIME, HOSTILE, TOKEN, holding

OPTIONS = FormatOptions()
SHELLS = [name for name in ("sh", "dash", "bash") if shutil.which(name)]


def run(shell: str, script: str) -> str:
    """Run a script that comes by stdin, as what a job evaluates does not stand in its arguments."""
    done = subprocess.run(
        [shell, "-eu"], input=script, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    return done.stdout


def test_shell_exports_the_token_and_its_end() -> None:
    assert render("shell", TOKEN, OPTIONS).text == (
        f"export BROKER_TOKEN='{TOKEN.access_token}'\nexport BROKER_TOKEN_EXPIRES_AT='{END_TIME}'\n"
    )


@pytest.mark.parametrize("name", ["env", "dotenv"])
def test_files_of_variables_assign_without_exporting(name: str) -> None:
    assert render(name, TOKEN, OPTIONS).text == (
        f"BROKER_TOKEN='{TOKEN.access_token}'\nBROKER_TOKEN_EXPIRES_AT='{END_TIME}'\n"
    )


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=10)
@given(texts=st.lists(HOSTILE, min_size=1, max_size=20))
@example(texts=["'", "''", "'\\''", "\\", "$(id)", "`id`", "!!", "a'b'c", "${IFS}", "-n", "%s\\n"])
def test_every_token_survives_eval(shell: str, texts: list[str]) -> None:
    script = "".join(
        f"BROKER_OUT={quoted(render('shell', holding(text), OPTIONS).text)}\n"
        'eval "$BROKER_OUT"\nprintf "%s\\n" "$BROKER_TOKEN"\n'
        for text in texts
    )

    assert run(shell, script).splitlines() == texts


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=10)
@given(texts=st.lists(HOSTILE, min_size=1, max_size=20))
def test_every_token_survives_a_file_that_a_shell_reads(shell: str, texts: list[str]) -> None:
    script = "".join(
        f'{render("env", holding(text), OPTIONS).text}printf "%s\\n" "$BROKER_TOKEN"\n'
        for text in texts
    )

    assert run(shell, script).splitlines() == texts


@settings(max_examples=30)
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
@example(text="'\n'; exit 1 #")
def test_a_quoted_text_is_one_word_to_the_shell(text: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"printf %s {quoted(text)}"], capture_output=True, timeout=60, check=True
    )

    assert done.stdout.decode() == text


@given(text=HOSTILE)
def test_dotenv_refuses_what_its_readers_read_differently(text: str) -> None:
    if any(sign in text for sign in "'\\$"):
        with pytest.raises(FormatRefused, match=r"read differently .*'json'"):
            render("dotenv", holding(text), OPTIONS)
    else:
        assert f"BROKER_TOKEN='{text}'\n" in render("dotenv", holding(text), OPTIONS).text


@pytest.mark.parametrize("name", ["shell", "env", "dotenv", "github-env"])
@given(variable=st.text(max_size=12))
@example(variable="")
@example(variable="1A")
@example(variable="A-B")
@example(variable="A B")
@example(variable="token")
@example(variable="A\n")
@example(variable="A=b;id;C")
@example(variable="Ä")
def test_names_are_capital_letters_digits_and_underscores(name: str, variable: str) -> None:
    plain = variable.isascii() and variable.isidentifier() and variable == variable.upper()
    options = FormatOptions({"GITHUB_ENV": "/runner/env"}, variable=variable, delimiter="broker_1")
    if plain:
        render(name, TOKEN, options)
    else:
        with pytest.raises(FormatRefused, match="is no name of a variable"):
            render(name, TOKEN, options)


def test_another_name_gets_both_variables() -> None:
    text = render("shell", TOKEN, FormatOptions(variable="DEPLOY_TOKEN")).text

    assert "export DEPLOY_TOKEN='" in text
    assert "export DEPLOY_TOKEN_EXPIRES_AT='" in text
    assert "BROKER_TOKEN" not in text


def test_the_http_backend_of_terraform_gets_a_name_and_a_password() -> None:
    assert render("terraform-http-backend", TOKEN, OPTIONS).text == (
        f"export TF_HTTP_USERNAME='oauth2'\nexport TF_HTTP_PASSWORD='{TOKEN.access_token}'\n"
    )
