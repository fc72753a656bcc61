"""actions/policy-check: its steps in a shell, on folders of policies."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from broker.core.audit import GENESIS, SerializedEvent
from broker.core.decision import DecisionRequest
from broker.policy_files import load_texts
from tests.actions.policy_check_steps import ACTION, installed, outputs, run_steps
from tests.core.simulation.recording import recorded
from tests.docs.markdown import ROOT

GOOD = """\
services:
  deploy-api: {audience: https://deploy.example.com, scopes: {deploy:write: Start a deployment}}
issuers:
  github: {preset: github}
service_accounts:
  deploy-web: {grants: {deploy-api: [deploy:write]}}
policies:
  web:
    service_account: deploy-web
    issuer: github
    match: {repository: acme/web, repository_id: 456789, ref: refs/heads/main}
tests:
  - name: main deploys
    issuer: github
    base: push
    claims: {repository: acme/web, repository_id: "456789", ref: refs/heads/main}
    expect: permit
"""


@pytest.fixture
def runner_temp(tmp_path: Path) -> Path:
    folder = tmp_path / "temp"
    installed(folder)
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    (folder / "policies").mkdir(parents=True)
    return folder


def test_sound_policies_are_green(workspace: Path, runner_temp: Path) -> None:
    (workspace / "policies/web.yaml").write_text(GOOD)

    done = run_steps(workspace, runner_temp)

    assert (done.returncode, done.stderr) == (0, "")
    assert "0 error(s)" in done.stdout
    assert outputs(runner_temp) == {
        "errors": "0",
        "warnings": "0",
        "tests": "1",
        "failed-tests": "0",
        "simulation": "",
        "comment": "",
    }
    assert not (runner_temp / "summary").exists()


def test_a_failed_test_is_an_annotation_at_its_line(workspace: Path, runner_temp: Path) -> None:
    (workspace / "policies/web.yaml").write_text(GOOD.replace("expect: permit", "expect: deny"))

    done = run_steps(workspace, runner_temp)

    assert done.returncode == 1
    line = GOOD.splitlines().index("  - name: main deploys") + 1
    (error,) = [each for each in done.stdout.splitlines() if each.startswith("::error")]
    assert error.startswith(f"::error file=policies/web.yaml,line={line},col=")
    assert "The test 'main deploys' failed: " in error
    assert outputs(runner_temp)["failed-tests"] == "1"
    assert f"policies/web.yaml:{line}:" in (runner_temp / "summary").read_text()


def test_files_that_do_not_load_are_annotations(workspace: Path, runner_temp: Path) -> None:
    (workspace / "policies/web.yaml").write_text(GOOD.replace("issuer: github\n    match", "match"))

    done = run_steps(workspace, runner_temp)

    assert done.returncode == 1
    assert "::error file=policies/web.yaml,line=8,col=3,title=load::" in done.stdout
    assert "The files do not load" in done.stdout


def test_warnings_are_annotations_and_green(workspace: Path, runner_temp: Path) -> None:
    (workspace / "policies/web.yaml").write_text(GOOD.replace(", repository_id: 456789", ""))

    done = run_steps(workspace, runner_temp, summary="always")

    assert done.returncode == 0
    assert "::warning file=policies/web.yaml,line=11," in done.stdout
    assert outputs(runner_temp)["warnings"] == "1"
    assert "warning[names-without-ids]" in (runner_temp / "summary").read_text()


def test_another_folder_and_a_configuration_can_be_named(
    workspace: Path, runner_temp: Path
) -> None:
    (workspace / "trust").mkdir()
    (workspace / "trust/web.yaml").write_text(GOOD)
    (workspace / "production.yaml").write_text("tokens: {max_ttl: 30m}\n")

    done = run_steps(workspace, runner_temp, path="trust", config="production.yaml")
    broken = run_steps(workspace, runner_temp, path="trust", config="nowhere.yaml")

    assert done.returncode == 0, done.stdout
    assert broken.returncode != 0
    assert "nowhere.yaml" in broken.stdout


def test_a_wrong_summary_is_refused(workspace: Path, runner_temp: Path) -> None:
    done = run_steps(workspace, runner_temp, summary="sometimes")

    assert done.returncode == 2
    assert "::error title=The policy check did not run::The input 'summary' must be" in done.stdout


def test_the_broker_is_installed_from_the_checkout_by_hashes(
    workspace: Path, tmp_path: Path
) -> None:
    # A Python that notes what it is asked, instead of a package index that may not be there.
    noting = tmp_path / "python"
    noting.write_text(f"""#!/bin/sh
printf '%s\\n' "$*" >>"{tmp_path}/asked"
printf '%s\\n' "${{PYTHONPATH-unset}} ${{PYTHONHOME-unset}}" >>"{tmp_path}/environment"
if [ "$2 $3" = "-m venv" ]; then mkdir -p "$4/bin" && cp "$0" "$4/bin/python"; fi
if [ "$2" = -c ]; then exec "{sys.executable}" "$@"; fi
""")
    noting.chmod(0o755)
    (tmp_path / "temp").mkdir()

    ways = {"PYTHONPATH": str(workspace), "PYTHONHOME": str(workspace)}
    for _ in range(2):
        done = run_steps(workspace, tmp_path / "temp", ways, python=str(noting))
        assert done.stderr == ""

    asked = [
        each for each in (tmp_path / "asked").read_text().splitlines() if "check.py" not in each
    ]
    version, venv, locked, broker = asked
    assert version.startswith("-I -c ")
    assert venv == f"-I -m venv {tmp_path}/temp/broker-policy-check"
    files = [ROOT / "requirements/build.txt", ROOT / "requirements/server.txt"]
    assert locked.endswith(f"--require-hashes -r {files[0]} -r {files[1]}")
    assert all(file.exists() for file in files)
    assert broker.endswith(f"--no-deps --no-build-isolation {ROOT}")
    assert all(each.startswith("-I ") for each in asked)
    # Nor do the processes that pip starts look there.
    seen = (tmp_path / "environment").read_text().splitlines()
    assert seen[: len(asked)] == ["unset unset"] * len(asked)

    # What another commit of the action left in the same job is not this one's.
    (tmp_path / "temp/broker-policy-check/.complete").write_text("/actions/another-commit\n")
    run_steps(workspace, tmp_path / "temp", python=str(noting))
    assert (tmp_path / "asked").read_text().count(f"--no-build-isolation {ROOT}\n") == 2


def test_a_python_that_is_too_old_is_told_so(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "temp").mkdir()

    done = run_steps(workspace, tmp_path / "temp", python="false")

    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stdout


def test_the_installing_script_is_a_plain_shells() -> None:
    assert (ACTION / "install.sh").read_text().startswith("#!/bin/sh\n")


# --- what a stranger can put into a pull request --------------------------------------------------


def test_what_is_checked_out_is_not_run(workspace: Path, runner_temp: Path) -> None:
    ran = workspace / "ran"
    for name in ("yaml", "typer", "json", "sitecustomize", "broker"):
        (workspace / f"{name}.py").write_text(f"open({str(ran)!r}, 'w')\n")
    (workspace / "policies/web.yaml").write_text(GOOD)

    done = run_steps(workspace, runner_temp, {"PYTHONPATH": str(workspace)})

    assert not ran.exists()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "name", ["::error::x.yaml", "a\n::error::b.yaml", "##[error]x.yaml", b"\xff.yaml", "-x.yaml"]
)
def test_the_name_of_a_file_is_no_command(
    workspace: Path, runner_temp: Path, name: str | bytes
) -> None:
    file = workspace / "policies" / (name if isinstance(name, str) else os.fsdecode(name))
    file.write_text("policies: 7\n")

    done = run_steps(workspace, runner_temp)

    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert all(line.startswith(("::error file=policies/", "The files do not")) for line in lines)
    # The older form of a command counts only where a line is none of the newer.
    assert "##[" not in lines[-1]
    assert "\n::" not in (runner_temp / "summary").read_text()


@pytest.mark.parametrize("path", ["--config=/etc/passwd", "-v", "--", "nowhere"])
def test_a_path_is_no_option(workspace: Path, runner_temp: Path, path: str) -> None:
    done = run_steps(workspace, runner_temp, path=path)

    assert done.returncode == 1
    assert f"::error file={path}".replace(":/", "%3A/") in done.stdout


@pytest.mark.parametrize("config", ["--json", "--", "-v"])
def test_a_configuration_is_no_option(workspace: Path, runner_temp: Path, config: str) -> None:
    (workspace / "policies/web.yaml").write_text(GOOD)

    done = run_steps(workspace, runner_temp, config=config)

    assert done.returncode == 1
    assert f"::error file={config}," in done.stdout or f"::error file={config}" in done.stdout


@pytest.mark.parametrize("command", ["check", "test"])
def test_a_check_that_breaks_down_is_not_green(
    workspace: Path, runner_temp: Path, command: str
) -> None:
    (workspace / "policies/web.yaml").write_text(GOOD)
    breaking = runner_temp / "breaking"
    breaking.write_text(f"""#!/bin/sh
case "$*" in *"policies {command}"*) echo 'out of ###[add-mask]memory' >&2; exit 70 ;; esac
exec "{sys.executable}" "$@"
""")
    breaking.chmod(0o755)
    python = runner_temp / "broker-policy-check/bin/python"
    python.write_text(f"""#!/bin/sh
exec "{sys.executable}" -I -c 'import runpy, sys
sys.executable = "{breaking}"
runpy.run_path(sys.argv[1], run_name="__main__")' "$2"
""")

    done = run_steps(workspace, runner_temp)

    assert done.returncode == 2
    assert "::error title=The policy check did not run::" in done.stdout
    assert r"| out of #\x23#[add-mask]memory" in done.stdout


def export(folder: Path, *refs: str) -> Path:
    """Leave an export of what jobs of these refs got by the good policies."""
    policy_set = load_texts(
        {"good.yaml": GOOD},
        broker_issuer="https://broker.example.com",
        token_defaults=(600, 3600),
        signing_algorithms=("ES256",),
        loopback=False,
    ).policy_set
    prev, lines = GENESIS, []
    for number, ref in enumerate(refs, start=1):
        asked = DecisionRequest(("deploy-api",))
        event = recorded(policy_set, asked, ref=ref, aud="https://broker.example.com")
        chained = SerializedEvent.of_members(event).at(number, prev)
        prev = chained.hash
        lines.append(chained.line() + "\n")
    file = folder / "audit.jsonl"
    file.write_text("".join(lines))
    return file


def test_a_simulation_of_what_changes_nothing_is_green(workspace: Path, runner_temp: Path) -> None:
    (workspace / "policies/web.yaml").write_text(GOOD)
    against = export(workspace, "refs/heads/main", "refs/heads/x")

    done = run_steps(workspace, runner_temp, against=str(against), since="2020-01-01")

    assert (done.returncode, done.stderr) == (0, "")
    assert outputs(runner_temp)["simulation"] == "unchanged"
    assert "| 0 | 0 | 0 | 0 | 2 |" in (runner_temp / "summary").read_text()


def test_what_jobs_would_lose_is_in_the_summary_and_fails(
    workspace: Path, runner_temp: Path
) -> None:
    (workspace / "policies/web.yaml").write_text(GOOD.replace("heads/main", "heads/release"))
    against = export(workspace, "refs/heads/main")

    done = run_steps(workspace, runner_temp, against=str(against), since="2020-01-01")

    told = outputs(runner_temp)
    comment = Path(told["comment"]).read_text()
    assert (done.returncode, told["simulation"], told["errors"]) == (1, "changed", "0")
    assert "`acme/web@main` loses `deploy:write` at `deploy-api`" in comment
    assert comment in (runner_temp / "summary").read_text()

    passing: Any = {"against": str(against), "since": "2020-01-01", "fail-on": "none"}
    passed = run_steps(workspace, runner_temp, **passing)
    assert passed.returncode == 0


def test_an_export_that_was_edited_is_told_and_fails(workspace: Path, runner_temp: Path) -> None:
    (workspace / "policies/web.yaml").write_text(GOOD)
    against = export(workspace, "refs/heads/main")
    against.write_text(against.read_text().replace("heads/main", "heads/%0A::error::x"))

    done = run_steps(workspace, runner_temp, against=str(against))

    assert done.returncode == 2
    assert "audit.jsonl: line 1 is not the next event" in done.stdout
    assert "could not be simulated" in done.stdout
