"""docs/reference/client.md and the client say the same."""

import re
from dataclasses import dataclass

import pytest
from typer.core import TyperGroup as Group
from typer.main import get_command

from broker.cli.app import app
from broker.client import errors
from broker.client.ambient import detection, google
from broker.client.errors import ClientError
from broker.client.held_token import LAST_SECONDS
from broker.client.http import MAX_BODY, TIMEOUT
from broker.client.patience import _LONGEST_PAUSE, BUDGET
from broker.client.token_files import FOLDER, RENEW_WITHIN
from broker.client.token_source import PAUSE_AFTER_FAILURE
from broker.settings.unknown import CLIENT_VARIABLES
from tests.docs.markdown import Page, code, rows

PAGE = Page("docs/reference/client.md")
COMMANDS = ("token", "exec", "whoami", "explain", "revoke")
OPTIONS = rows(PAGE.section("Options"))


@dataclass(frozen=True)
class Option:
    name: str
    variable: str | None
    commands: tuple[str, ...]


def of_the_code() -> set[Option]:
    tree = get_command(app)
    assert isinstance(tree, Group)
    found: dict[tuple[str, str | None], list[str]] = {}
    for command in COMMANDS:
        for each in tree.commands[command].params:
            is_option = each.param_type_name == "option"
            name = next((text for text in each.opts if text.startswith("--")), "")
            if not is_option:
                name = each.opts[0].upper()
            variable = each.envvar
            assert variable is None or isinstance(variable, str)
            if name not in ("--help", "COMMAND"):
                found.setdefault((name, variable), []).append(command)
    return {Option(*key, tuple(commands)) for key, commands in found.items()}


def of_the_page() -> set[Option]:
    return {
        Option(
            code(row[0]),
            code(row[1]) if row[1] else None,
            COMMANDS if row[2] == "all" else tuple(re.findall(r"`([a-z]+)`", row[2])),
        )
        for row in OPTIONS
    }


def test_every_option_has_a_row_with_its_variable_and_its_commands() -> None:
    assert of_the_page() == of_the_code()


def test_every_variable_is_named_and_no_other() -> None:
    named = set(re.findall(r"`(BROKER_[A-Z_]+)`", PAGE.text))

    assert named == CLIENT_VARIABLES


def test_every_command_has_a_row() -> None:
    assert [code(row[0]).split()[1] for row in rows(PAGE.section("Commands"))] == list(COMMANDS)


def test_every_exit_code_has_a_row_and_a_class() -> None:
    codes = {int(code(row[0])) for row in rows(PAGE.section("Exit codes"))}
    classes = {
        each.__name__: each.exit_code
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, ClientError) and each is not ClientError
    }

    assert codes == {0, *classes.values()}
    assert all(f"`{name}`" in PAGE.section("Exit codes") for name in classes)


def test_the_platforms_are_in_the_order_in_which_they_are_looked_for() -> None:
    table = rows(PAGE.section("Who the job is"))
    names = [row[1] for row in table]

    assert names == [
        "given by hand", "GitHub Actions", "GitLab CI", "CircleCI", "Buildkite", "Google Cloud",
        "Kubernetes",
    ]  # fmt: skip
    assert code(table[-1][2]) == str(detection.KUBERNETES_TOKEN)
    assert set(re.findall(r"`([A-Z_]+)`", table[5][2])) == {"GCE_METADATA_HOST", *google._SAYS_SO}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("Requests", f"at most {TIMEOUT:.0f} seconds as a whole"),
        ("Requests", f"{MAX_BODY // 1024} KiB"),
        ("Requests", f"grow to {_LONGEST_PAUSE:.0f} seconds"),
        ("Requests", f"for {BUDGET:.0f} seconds in all"),
        ("The cache", f"`{FOLDER}-UID`"),
        ("Renewal", f"more than {LAST_SECONDS:.0f} seconds are left"),
        ("Renewal", f"for {PAUSE_AFTER_FAILURE:.0f} seconds nothing is tried"),
    ],
)
def test_the_numbers_are_those_of_the_code(section: str, said: str) -> None:
    assert said in PAGE.section(section)
    assert RENEW_WITHIN == 60
