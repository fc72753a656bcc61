"""docs/guides/keys.md names what there is: states, commands, events, figures."""

import re

from typer.main import get_command

from broker.cli.app import app
from broker.cli.keys.publish_command import JWKS, METADATA
from broker.cli.keys.rotate_command import CACHED_SECONDS
from broker.core.key_line import LONGEST_TOKEN_LIFE
from broker.core.signing_keys import KeyState
from tests.docs.markdown import Page, code, rows

PAGE = Page("docs/guides/keys.md")


def test_every_state_that_lasts_has_a_row() -> None:
    named = [code(row[0]) for row in rows(PAGE.section("How signing keys follow one another"))]

    assert named == [state for state in KeyState if state is not KeyState.REMOVED]


def test_every_command_is_shown_and_every_one_shown_exists() -> None:
    group = get_command(app).commands["keys"]  # type: ignore[attr-defined]
    shown = {block.text.split()[2] for block in PAGE.blocks("sh")}

    assert shown == set(group.commands)


def test_every_file_that_is_published_has_a_row() -> None:
    listed = [code(row[0]) for row in rows(PAGE.section("Services that cannot reach the broker"))]

    assert listed == [JWKS, *METADATA]


def test_the_figures_are_those_of_the_code() -> None:
    assert f"up to {CACHED_SECONDS} seconds" in PAGE.text
    assert f"{LONGEST_TOKEN_LIFE // 3600} hours and `leeway` later" in PAGE.text


def test_every_event_about_keys_is_named() -> None:
    audit = {code(row[0]) for row in rows(Page("docs/reference/audit.md").section("Types"))}
    named = set(re.findall(r"`(key\.\w+)`", PAGE.text))

    assert named == {each for each in audit if each.startswith("key.")}
