"""A review that names a commit as if it held the policies, while other ones were read."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.cli.app import app
from tests import corp_issuer


def a_jwks(name: str) -> str:
    return json.dumps(corp_issuer.jwks(name))


POLICIES = """\
issuers:
  github: {preset: github, algorithms: [ES256], jwks_file: ../keys/github.json}
services: {deploy-api: {audience: https://deploy-api.example, scopes: {deploy:read: See them}}}
service_accounts: {web: {grants: {deploy-api: [deploy:read]}}}
policies:
  web: {service_account: web, issuer: github, match: {repository: acme/web}}
"""
DENY = "policies: {none: {effect: deny, issuer: github, match: {repository: acme/web}}}\n"
OTHER = POLICIES.replace("acme/web", "evil/web")


def git(folder: Path, *words: str) -> str:
    names = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *names, *words], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A work tree whose policies are those of its commit."""
    for name in ("policies", "keys"):
        (tmp_path / name).mkdir()
    (tmp_path / "policies/web.yaml").write_text(POLICIES)
    (tmp_path / "policies/deny.yaml").write_text(DENY)
    (tmp_path / "keys/github.json").write_text(a_jwks("one"))
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "Add policies")
    monkeypatch.chdir(tmp_path)
    assert told() == {"commit": git(tmp_path, "rev-parse", "HEAD"), "files_changed": False}
    return tmp_path


def told(*paths: str) -> dict[str, Any]:
    words = ["access", "review", "--offline", "--json", *paths]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {name: found.get(name) for name in ("commit", "files_changed")}


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_a_file_that_git_was_told_to_take_for_unchanged_is_not(tree: Path, mark: str) -> None:
    git(tree, "update-index", mark, "policies/web.yaml")
    (tree / "policies/web.yaml").write_text(OTHER)
    assert git(tree, "status", "--porcelain") == ""

    assert told()["files_changed"] is True


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_a_deny_policy_that_is_away_is_a_change(tree: Path, mark: str) -> None:
    git(tree, "update-index", mark, "policies/deny.yaml")
    (tree / "policies/deny.yaml").unlink()
    assert git(tree, "status", "--porcelain") == ""

    assert told()["files_changed"] is True


def test_a_commit_that_another_one_stands_in_for_is_not_taken_for_it(tree: Path) -> None:
    true = git(tree, "rev-parse", "HEAD")
    (tree / "policies/web.yaml").write_text(OTHER)
    git(tree, "commit", "-am", "Let others in")
    other = git(tree, "rev-parse", "HEAD")
    git(tree, "reset", "--soft", true)
    git(tree, "replace", true, other)
    assert git(tree, "status", "--porcelain") == ""

    assert told() == {"commit": true, "files_changed": True}


def test_the_repository_is_that_of_the_files_whatever_the_environment_says(
    tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    git(elsewhere, "init")
    git(elsewhere, "commit", "--allow-empty", "-m", "Nothing")
    head = git(tree, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(elsewhere / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tree))
    monkeypatch.setenv("GIT_INDEX_FILE", str(elsewhere / "index"))

    assert told() == {"commit": head, "files_changed": False}


def test_no_program_is_started_that_the_work_tree_names(tree: Path) -> None:
    started = tree / "started"
    program = tree / "program"
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\npathlib.Path({str(started)!r}).touch()\n"
        "sys.stdout.write(sys.stdin.read())\n"
    )
    program.chmod(0o755)
    (tree / ".gitattributes").write_text("*.yaml filter=own\n")
    for name in ("filter.own.clean", "filter.own.smudge", "core.fsmonitor"):
        git(tree, "config", name, str(program))
    (tree / "policies/web.yaml").write_text(POLICIES + "\n")

    assert told()["files_changed"] is True
    assert not started.exists()


def test_keys_that_a_policy_file_names_are_of_the_commit_too(tree: Path) -> None:
    (tree / "keys/github.json").write_text(a_jwks("two"))

    assert told()["files_changed"] is True
    assert told("policies/web.yaml", "policies/deny.yaml")["files_changed"] is True


def test_a_link_in_the_place_of_a_file_is_a_change(tree: Path) -> None:
    (tree / "policies/web.yaml").rename(tree / "policies/.web.yaml")
    (tree / "policies/web.yaml").symlink_to(".web.yaml")
    git(tree, "add", "policies/web.yaml")
    git(tree, "commit", "-m", "Link")

    assert told()["files_changed"] is True


def test_what_is_no_policy_file_says_nothing_of_them(tree: Path) -> None:
    (tree / "policies/README.md").write_text("Notes")
    (tree / "policies/dev").mkdir()
    (tree / "policies/dev/mine.yaml").write_text("{}\n")

    assert told()["files_changed"] is False


def test_a_part_of_the_files_is_held_against_that_part(tree: Path) -> None:
    (tree / "policies/deny.yaml").write_text("# nothing\n" + DENY)

    assert told("policies/web.yaml")["files_changed"] is False
    assert told("policies")["files_changed"] is True
