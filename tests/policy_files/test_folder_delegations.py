"""Delegations of folders on the disk: they must be there, and nothing leads into them."""

from pathlib import Path

import pytest

from broker.core.delegation import Delegation
from broker.core.errors import ConfigurationError
from broker.policy_files import LoadedPolicies, load, load_paths
from tests.policy_files.loading import BROKER

WEB = Delegation("teams/web", maps=("tests",), place=("broker.yaml", 3, 5))
SERVICES = "services: {s: {audience: https://s.example.com}}"
NOT_THERE = "`services` may not stand below `teams/web/`"


def load_folder(folder: Path, *delegations: Delegation) -> LoadedPolicies:
    return load(
        folder,
        broker_issuer=BROKER,
        token_defaults=(600, 3600),
        signing_algorithms=["RS256"],
        loopback=False,
        folders=delegations,
    )


def load_some(policy_folder: Path, *paths: Path) -> LoadedPolicies:
    return load_paths(
        paths,
        broker_issuer=BROKER,
        token_defaults=(600, 3600),
        signing_algorithms=["RS256"],
        loopback=False,
        policy_folder=policy_folder,
        folders=(WEB,),
    )


def problem_of(folder: Path, *delegations: Delegation) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_folder(folder, *delegations)
    (problem,) = caught.value.problems
    return str(problem).replace(folder.as_posix(), "POLICIES")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies/teams/web").mkdir(parents=True)
    return tmp_path / "policies"


def test_files_are_found_below_their_folder_whatever_it_is_called(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "teams/web/s.yaml").write_text(SERVICES)

    assert problem_of(folder, WEB).startswith(f"POLICIES/teams/web/s.yaml:1:1: {NOT_THERE}")
    monkeypatch.chdir(folder)
    for name in (".", "../policies", "teams/.."):
        with pytest.raises(ConfigurationError, match=NOT_THERE):
            load_folder(Path(name), WEB)


def test_a_folder_that_is_itself_a_link_is_delegated_below(folder: Path) -> None:
    (folder / "teams/web/s.yaml").write_text(SERVICES)
    (folder.parent / "link").symlink_to(folder)

    assert NOT_THERE in problem_of(folder.parent / "link", WEB)


def test_an_empty_folder_may_be_delegated(folder: Path) -> None:
    load_folder(folder, WEB)


def test_a_missing_folder_is_refused_where_it_is_configured(folder: Path) -> None:
    missing = Delegation("teams/wep", maps=("tests",), place=("broker.yaml", 3, 5))
    other = Delegation("ops/night", maps=("tests",), place=("BROKER_FOLDERS", 0, 0))

    assert problem_of(folder, missing) == (
        "broker.yaml:3:5: there is no folder `teams/wep/` in `POLICIES`; did you mean `teams/web/`?"
    )
    assert problem_of(folder, other) == (
        "BROKER_FOLDERS: there is no folder `ops/night/` in `POLICIES`; create it, or delete its"
        " entry"
    )


def test_a_file_in_place_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "teams/web").rmdir()
    (folder / "teams/web").write_text("")

    assert "there is no folder `teams/web/`" in problem_of(folder, WEB)


def test_a_folder_in_another_case_is_refused(folder: Path) -> None:
    (folder / "teams/web").rename(folder / "teams/Web")

    assert "did you mean `teams/Web/`?" in problem_of(folder, WEB)


def test_a_mounted_config_map_may_be_a_delegated_folder(folder: Path) -> None:
    real = folder / "teams/web/..2026_11_24"
    real.mkdir()
    (real / "s.yaml").write_text(SERVICES)
    (folder / "teams/web/..data").symlink_to("..2026_11_24")
    (folder / "teams/web/s.yaml").symlink_to("..data/s.yaml")

    assert problem_of(folder, WEB).startswith("POLICIES/teams/web/s.yaml:1:1: ")


def test_links_between_folders_that_are_not_delegated_are_followed(folder: Path) -> None:
    (folder / "shared").mkdir()
    (folder / "shared/s.txt").write_text(SERVICES)
    (folder / "s.yaml").symlink_to("shared/s.txt")

    assert "s" in load_folder(folder, WEB).policy_set.services


# --- files and folders named one by one -----------------------------------------------------------


@pytest.mark.parametrize("name", [".", "policies", "policies/teams", "policies/teams/web/s.yaml"])
def test_files_named_in_any_way_obey(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "teams/web/s.yaml").write_text(SERVICES)
    monkeypatch.chdir(folder.parent)

    with pytest.raises(ConfigurationError, match=NOT_THERE):
        load_some(folder, Path(name))
    with pytest.raises(ConfigurationError, match=NOT_THERE):
        load_some(Path("policies"), folder.parent / name)


def test_a_link_to_a_delegated_file_obeys(folder: Path) -> None:
    (folder / "teams/web/s.yaml").write_text(SERVICES)
    (folder.parent / "s.yaml").symlink_to(folder / "teams/web/s.yaml")

    with pytest.raises(ConfigurationError, match=NOT_THERE):
        load_some(folder, folder.parent / "s.yaml")


def test_files_outside_of_the_policy_folder_are_free(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere/teams/web"
    elsewhere.mkdir(parents=True)
    (elsewhere / "s.yaml").write_text(SERVICES)

    assert "s" in load_some(folder, elsewhere).policy_set.services


def test_a_part_of_the_policy_folder_need_not_have_all_that_is_delegated(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "teams/web").rmdir()

    load_some(folder, folder / "other")

    with pytest.raises(ConfigurationError, match="there is no folder `teams/web/`"):
        load_some(folder, folder)
