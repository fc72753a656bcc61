"""docs/guides/service-accounts.md names what there is: commands, events, bounds."""

import re

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from broker.cli.app import app
from broker.core.registry import members
from broker.core.registry.secret_planning import (
    DEFAULT_OVERLAP,
    MAX_OVERLAP,
    MAX_SECRETS,
    OLD_AFTER,
    OVERDUE_AFTER,
)
from broker.http.api.query import DEFAULT_LIMIT, MAX_LIMIT
from tests.core.registry.world import NOW, World
from tests.docs.markdown import Page, code, rows

PAGE = Page("docs/guides/service-accounts.md")
HTTP = Page("docs/reference/http.md")
DAY = 86_400


def commands(path: str) -> set[str]:
    """Name the commands of a group."""
    group = get_command(app)
    for name in path.split():
        assert isinstance(group, TyperGroup)
        group = group.commands[name]
    assert isinstance(group, TyperGroup)
    return set(group.commands)


def shown(place: int) -> set[str]:
    """Name the words at a place of all command lines of the page."""
    lines = [line.split() for block in PAGE.blocks("sh") for line in block.text.splitlines()]
    assert {tuple(line[:2]) for line in lines} == {("broker", "accounts")}
    return {line[place] for line in lines if place == 2 or line[2] == "secret"}


def test_every_command_is_shown_and_every_one_shown_exists() -> None:
    assert shown(2) == commands("accounts")
    assert shown(3) == commands("accounts secret")


def test_every_event_about_accounts_is_named() -> None:
    audit = {code(row[0]) for row in rows(Page("docs/reference/audit.md").section("Types"))}
    named = set(re.findall(r"`((?:account|secret)\.\w+)`", PAGE.text))

    assert named == {each for each in audit if each.startswith(("account.", "secret."))}


def test_every_member_of_an_account_has_a_row() -> None:
    world = World()
    made = world.create({"name": "x"})
    named = [
        name
        for row in rows(HTTP.section("Service accounts"))[:14]
        for name in re.findall(r"`(\w+)`", row[0])
    ]

    assert named == list(world.account(made.client_id).members(NOW))


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (PAGE, f"Up to {MAX_SECRETS} secrets"),
        (PAGE, f"from day {OLD_AFTER // DAY} (`old`) and from day {OVERDUE_AFTER // DAY}"),
        (PAGE, f"{MAX_OVERLAP // DAY} days later at most"),
        (HTTP, f"`CONFLICT` when {MAX_SECRETS} are alive"),
        (HTTP, f"`{DEFAULT_OVERLAP // 3600}h` unless said otherwise; up to {MAX_OVERLAP // DAY} d"),
        (
            HTTP,
            f"(`old` from day {OLD_AFTER // DAY} on, `overdue` from day {OVERDUE_AFTER // DAY})",
        ),
        (HTTP, f"`limit` (1 to {MAX_LIMIT}, else {DEFAULT_LIMIT})"),
        (HTTP, f"1 to {members.MAX_NAME} characters"),
        (HTTP, f"up to {members.MAX_DESCRIPTION:,} characters"),
        (HTTP, f"up to {members.MAX_METADATA_BYTES:,} bytes"),
        (HTTP, f"up to {members.MAX_TTL // 3600} hours"),
        (HTTP, f"a JWKS of up to {members.MAX_JWKS_BYTES // 1024} KB"),
        (HTTP, f"Up to {members.MAX_NETWORKS}."),
    ],
)
def test_the_figures_are_those_of_the_code(page: Page, text: str) -> None:
    assert text in page.text
