"""docs/reference/platforms.md and the table of platforms say the same."""

import re

import pytest

from broker.core.durations import seconds_of
from broker.core.kept_keys import MAX_AGE
from broker.core.platforms import GITHUB, GITLAB, Platform, preset_of_host
from broker.issuer_keys.cache import MISS_COOLDOWN, REFRESH_INTERVAL
from broker.policy_files.issuers import DEFAULT_ALGORITHMS, DEFAULT_TOKEN_LIFETIME
from tests.docs.markdown import Page, rows
from tests.docs.policies_in_pages import load_block

PAGE = Page("docs/reference/platforms.md")
PRESETS = {row[0]: row[1:] for row in rows(PAGE.text.partition("## ")[0])}
EVENTS = {row[0]: row[1:] for row in rows(PAGE.section("Events"))}


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def seconds(durations: list[str]) -> int:
    (duration,) = durations
    return seconds_of(duration, minimum=1, maximum=10**9)


@pytest.mark.parametrize(("column", "platform"), [(0, GITHUB), (1, GITLAB)])
def test_the_table_of_presets_is_that_of_the_code(column: int, platform: Platform) -> None:
    cells = {name: names(row[column]) for name, row in PRESETS.items()}

    assert cells["`issuer`"] == [platform.issuer]
    assert seconds(cells["`max_token_lifetime`"]) == platform.max_token_lifetime
    assert cells["`replay`"] == ["single_use" if platform.single_use else "reusable"]
    assert cells["`algorithms`"] == list(DEFAULT_ALGORITHMS)
    assert cells["claims that must be there"] == list(platform.required)
    assert cells["tenant, by id"] == list(platform.tenant_ids)
    assert cells["tenant, by name"] == list(platform.tenant_names)
    assert set(cells["case does not count in"]) == platform.folded
    assert set(cells["`instances` without a pin"]) == platform.immutable_ids


def test_the_defaults_without_a_preset_are_those_of_the_code() -> None:
    (buildkite, *_) = load_block(PAGE.section("Others")).policy_set.issuers.values()

    assert seconds(names(PRESETS["`max_token_lifetime`"][2])) == DEFAULT_TOKEN_LIFETIME
    assert names(PRESETS["`replay`"][2]) == [buildkite.replay.value]
    assert names(PRESETS["`algorithms`"][2]) == list(DEFAULT_ALGORITHMS)
    assert buildkite.algorithms == set(DEFAULT_ALGORITHMS)
    assert buildkite.max_token_lifetime == DEFAULT_TOKEN_LIFETIME


@pytest.mark.parametrize(("name", "platform"), [("GitHub", GITHUB), ("GitLab", GITLAB)])
def test_the_events_are_those_of_the_code(name: str, platform: Platform) -> None:
    claim, events = EVENTS[name]

    assert names(claim) == [platform.event_claim]
    assert set(names(events)) == platform.trusted_events


@pytest.mark.parametrize(
    ("heading", "preset"),
    [
        ("github.com", "github"),
        ("Enterprise Cloud with an issuer of its own", "github"),
        ("Enterprise Cloud with data residency", "github"),
        ("gitlab.com", "gitlab"),
    ],
)
def test_the_hosts_of_the_page_are_known_to_the_code(heading: str, preset: str) -> None:
    (issuer,) = load_block(PAGE.section(heading)).policy_set.issuers.values()

    assert preset_of_host(issuer.url) == preset


def test_the_times_of_the_keys_are_those_of_the_code() -> None:
    section = PAGE.section("Where the keys come from")

    assert (REFRESH_INTERVAL, "every five minutes" in section) == (300, True)
    assert f"every {MISS_COOLDOWN} seconds" in section
    assert f"count for {MAX_AGE // 3600} hours" in section
