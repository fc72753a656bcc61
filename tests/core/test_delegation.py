"""What a delegation admits, and which delegations a file has to obey."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.delegation import DelegatedFolders, Delegation

WEB = Delegation(
    "teams/web",
    maps=("policies", "tests"),
    effects=("allow",),
    service_accounts=("web-*", "shared"),
    services=("deploy-api",),
    place=("broker.yaml", 7, 3),
)
TEAMS = Delegation("teams", maps=("tests",))
FOLDERS = DelegatedFolders([WEB, TEAMS, Delegation("ops", ("tests",))])


@pytest.mark.parametrize("client_id", ["web-ci", "web-", "web--", "web-*", "shared"])
def test_accounts_are_admitted_by_id_and_by_beginning(client_id: str) -> None:
    assert WEB.admits_account(client_id)


@pytest.mark.parametrize(
    "client_id",
    ["web", "website", "Web-ci", "WEB-CI", " web-ci", "my-web-ci", "w\u0435b-ci", "web\u2010ci",
     "shared2", "share", "Shared", ""],
)  # fmt: skip
def test_what_only_looks_like_an_admitted_account_is_not(client_id: str) -> None:
    assert not WEB.admits_account(client_id)


def test_no_account_is_admitted_where_none_is_named() -> None:
    assert not TEAMS.admits_account("web-ci")


@pytest.mark.parametrize(
    ("position", "above"),
    [
        ("a.yaml", ()),
        ("teams.yaml", ()),
        ("teams/a.yaml", (TEAMS,)),
        ("teams/web.yaml", (TEAMS,)),
        ("teams/web-evil/a.yaml", (TEAMS,)),
        ("teams/web/a.yaml", (TEAMS, WEB)),
        ("teams/web/deep/er/a.yaml", (TEAMS, WEB)),
        ("other/teams/web/a.yaml", ()),
        ("web/a.yaml", ()),
        ("teamsters/web/a.yaml", ()),
    ],
)
def test_a_file_obeys_the_delegation_of_every_folder_above_it(
    position: str, above: tuple[Delegation, ...]
) -> None:
    assert FOLDERS.above(position) == above


@pytest.mark.parametrize(
    ("position", "lookalike"),
    [
        ("Teams/a.yaml", ("Teams", "teams")),
        ("teams/WEB/deep/a.yaml", ("teams/WEB", "teams/web")),
        ("TEAMS/web/a.yaml", ("TEAMS", "teams")),
        ("\uff4f\uff50\uff53/a.yaml", ("\uff4f\uff50\uff53", "ops")),
        ("op\u017f/a.yaml", ("op\u017f", "ops")),
    ],
)
def test_a_folder_that_only_looks_delegated_is_found(
    position: str, lookalike: tuple[str, str]
) -> None:
    assert FOLDERS.lookalike(position) == lookalike


@pytest.mark.parametrize("position", ["teams/web/a.yaml", "TEAMS.yaml", "teams/api/a.yaml"])
def test_other_folders_and_the_delegated_ones_themselves_look_like_none(position: str) -> None:
    assert FOLDERS.lookalike(position) is None


def test_a_delegation_passes_through_json_but_for_its_place() -> None:
    again = Delegation.from_json(json.loads(json.dumps(WEB.as_json())))

    assert again == WEB
    assert again.place == ("folders", 0, 0)


def test_the_place_of_a_delegation_says_nothing_about_what_it_means() -> None:
    assert replace(WEB, place=("BROKER_FOLDERS", 0, 0)) == WEB


NAMES = st.text("ab-", min_size=1, max_size=4)


@given(st.lists(NAMES, max_size=4), st.lists(NAMES, min_size=1, max_size=4, unique=True))
def test_exactly_the_folders_on_the_way_to_a_file_are_above_it(
    way: list[str], folders: list[str]
) -> None:
    delegations = [Delegation(folder.replace("-", "/"), ("tests",)) for folder in folders]
    position = "/".join([*way, "f.yaml"])

    above = DelegatedFolders(delegations).above(position)

    assert {each.folder for each in above} == {
        each.folder for each in delegations if position.startswith(each.folder + "/")
    }
