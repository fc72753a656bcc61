"""`broker policies diff`: the files beside those of a revision, and what the difference does."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Broker
from tests.cli.test_policies_simulate import BEFORE, EXPORT, POLICIES, exported
from tests.core.simulation.recording import recorded


def committed(folder: Path) -> None:
    """Commit all that a folder holds."""
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose policies have changed since its only commit."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "web.yaml").write_text(POLICIES % "refs/heads/main")
    committed(tmp_path)
    (folder / "web.yaml").write_text(POLICIES % "refs/heads/x")
    (tmp_path / "audit.jsonl").write_text(EXPORT)
    return tmp_path


def test_what_the_files_say_otherwise_is_named(broker: Broker, repository: Path) -> None:
    done = broker("policies", "diff", "--base", "HEAD")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "changed in policies: web: match\n"
    one = broker("policies", "diff", "--base", "HEAD", "policies/web.yaml")
    assert one.stdout == done.stdout


def test_what_the_difference_would_have_done_is_told_as_well(
    broker: Broker, repository: Path
) -> None:
    words = ["policies", "diff", "--base", "HEAD", "--simulate", "2026-01-01"]
    done = broker(*words, "--against", "audit.jsonl")

    assert (done.returncode, done.stderr) == (1, "")
    assert "  2 newly denied\n  1 newly permitted\n" in done.stdout
    assert "; before, web asked for ref: refs/heads/main (" in done.stdout

    found = json.loads(broker(*words, "--against", "audit.jsonl", "--json").stdout)
    assert found["changes"] == [
        {"map": "policies", "name": "web", "what": "changed", "members": ["match"]}
    ]
    assert found["simulation"]["newly_denied"] == 2
    markdown = broker(*words, "--against", "audit.jsonl", "--format", "markdown").stdout
    assert markdown.startswith("### What the files say otherwise\n\n- changed in `policies`: `web`")
    assert "### What these policies change" in markdown


def test_decisions_of_the_dev_platform_are_held_against_its_policies_of_before(
    broker: Broker, repository: Path
) -> None:
    dev = repository / "policies/dev"
    dev.mkdir()
    policy = "policies: {dev: {service_account: deploy-web, issuer: dev-github, match: %s}}\n"
    (dev / "dev.yaml").write_text(policy % "{repository: acme/web, ref: refs/heads/main}")
    committed(repository)
    (dev / "dev.yaml").write_text(policy % "{repository: acme/web}")
    event = recorded(BEFORE, iss="http://127.0.0.1:8081/github", ref="refs/heads/x")
    (repository / "dev.jsonl").write_text(exported(event | {"issuer": "dev-github"}))

    words = ["--simulate", "2026-01-01", "--against", "dev.jsonl"]
    done = broker("policies", "diff", "--base", "HEAD", *words)

    assert (done.returncode, done.stderr) == (1, "")
    assert " through dev; before, dev asked for ref: refs/heads/main (1 of 1 run)" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--against", "audit.jsonl"], "are for --simulate: say since when"),
        (["--server", "https://broker.example.com"], "are for --simulate: say since when"),
        (
            ["--simulate", "30d", "--against", "store", "--server", "https://broker.example.com"],
            "--against and --server contradict each other",
        ),
    ],
)
def test_what_is_never_asked_is_not_passed_over(
    broker: Broker, repository: Path, words: list[str], said: str
) -> None:
    done = broker("policies", "diff", "--base", "HEAD", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_files_that_say_the_same_say_so(broker: Broker, repository: Path) -> None:
    (repository / "policies/web.yaml").write_text(POLICIES % "refs/heads/main")

    assert broker("policies", "diff", "--base", "HEAD").stdout == "the files say the same\n"
    as_markdown = broker("policies", "diff", "--base", "HEAD", "--format", "markdown").stdout
    assert as_markdown.endswith("\nNothing.\n")


@pytest.mark.parametrize(
    ("base", "path", "said"),
    [
        ("nothing", "policies", "git knows no revision 'nothing' here"),
        ("--output=x", "policies", "write a revision"),
        ("HEAD", "../outside", "is not below this folder"),
        ("HEAD", "new", "HEAD has not all of new"),
    ],
)
def test_a_base_that_is_none_is_told(
    broker: Broker, repository: Path, base: str, path: str, said: str
) -> None:
    (repository / "new").mkdir()
    (repository.parent / "outside").mkdir(exist_ok=True)
    done = broker("policies", "diff", f"--base={base}", path)

    assert done.returncode == 2
    assert said in done.stderr


def test_a_link_in_the_revision_is_not_followed(broker: Broker, repository: Path) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"]
    (repository / "policies/link.yaml").symlink_to("/etc/passwd")
    for words in (["add", "-A"], [*who, "commit", "-qm", "y"]):
        subprocess.run(["git", *words], cwd=repository, check=True)
    (repository / "policies/link.yaml").unlink()

    done = broker("policies", "diff", "--base", "HEAD")

    assert done.returncode == 2
    assert "policies/link.yaml is a link there" in done.stderr


DENY = "policies:\n  closed: {effect: deny, issuer: github, match: {ref: refs/heads/old}}\n"


def test_attributes_in_the_revision_leave_nothing_out(broker: Broker, repository: Path) -> None:
    (repository / "policies/closed.yaml").write_text(DENY)
    (repository / ".gitattributes").write_text("closed.yaml export-ignore\nweb.yaml export-subst\n")
    commit(repository)
    (repository / "policies/closed.yaml").unlink()

    done = broker("policies", "diff", "--base", "HEAD")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "removed in policies: closed\n"


def test_a_submodule_in_the_revision_is_told(broker: Broker, repository: Path) -> None:
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()
    entry = f"160000,{head},policies/shared"
    subprocess.run(
        ["git", "update-index", "--add", "--cacheinfo", entry], cwd=repository, check=True
    )
    commit(repository, "commit")

    done = broker("policies", "diff", "--base", "HEAD")

    assert done.returncode == 2
    assert "policies/shared is a submodule there" in done.stderr


def test_names_that_are_patterns_to_git_are_names(broker: Broker, repository: Path) -> None:
    for name in (":!policies", "po*"):
        (repository / name).mkdir()
        (repository / name / "ä b.yaml").write_bytes(
            (repository / "policies/web.yaml").read_bytes()
        )
    commit(repository)

    for name in (":!policies", "po*"):
        done = broker("policies", "diff", "--base", "HEAD", f"./{name}")
        assert (done.returncode, done.stdout) == (0, "the files say the same\n")


def test_what_stands_in_for_an_object_of_the_revision_is_not_read(
    broker: Broker, repository: Path
) -> None:
    asked = ["git", "hash-object", "-w", "policies/web.yaml"]
    named = subprocess.run(asked, cwd=repository, check=True, capture_output=True, text=True)
    replacing = ["git", "replace", "HEAD:policies/web.yaml", named.stdout.strip()]
    subprocess.run(replacing, cwd=repository, check=True)

    done = broker("policies", "diff", "--base", "HEAD")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "changed in policies: web: match\n"


def commit(repository: Path, *words: str) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"]
    if not words:
        subprocess.run(["git", "add", "-A"], cwd=repository, check=True)
    subprocess.run(["git", *who, "commit", "-qm", "y"], cwd=repository, check=True)


def test_both_parts_of_a_comment_fit_into_one(broker: Broker, repository: Path) -> None:
    match = "service_account: deploy-web, issuer: github, match: {repository: acme/web}"
    many = "".join(f"  {'p' * 60}-{number}: {{{match}}}\n" for number in range(60))
    (repository / "policies/many.yaml").write_text(f"policies:\n{many}")
    words = ["--simulate", "2026-01-01", "--against", "audit.jsonl", "--format", "markdown"]

    text = broker("policies", "diff", "--base", "HEAD", *words).stdout

    assert "- and 11 more\n" in text
    assert "### What these policies change" in text
    assert len(text) <= 60_000
