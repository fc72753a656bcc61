"""`broker policies report`: from which decisions, of which reports, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.cli.app import app
from broker.core.audit import GENESIS, SerializedEvent
from tests.audited_broker import audited_store
from tests.core.builders import BROKER as ISSUER
from tests.core.builders import a_policy
from tests.core.simulation.recording import recorded, then
from tests.month_of_traffic import BROKER, Month, texts_of_the_month

POLICIES = """\
issuers:
  github: {preset: github}
services:
  deploy-api:
    audience: https://deploy-api.example
    scopes: {deploy:read: See deployments, deploy:write: Start a deployment}
service_accounts:
  deploy-web: {grants: {deploy-api: [deploy:read, deploy:write]}}
policies:
  web:
    service_account: deploy-web
    issuer: github
    match: {repository: acme/web, repository_id: 456789, ref: {glob: "refs/heads/**"}}
  old:
    service_account: deploy-web
    issuer: github
    expires: 2026-01-31
    match: {repository: acme/old, repository_id: 1, ref: refs/heads/main}
"""
BEFORE = then(a_policy("web"))
ALL_REPORTS = ["unused", "over_broad", "sub_form", "shadowed", "expiring"]


def exported(*events: dict[str, Any]) -> str:
    prev, lines = GENESIS, []
    for number, event in enumerate(events, start=1):
        chained = SerializedEvent.of_members(event).at(number, prev)
        prev = chained.hash
        lines.append(chained.line() + "\n")
    return "".join(lines)


EXPORT = exported(recorded(BEFORE), recorded(BEFORE), recorded(BEFORE, repository="acme/x"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/web.yaml").write_text(POLICIES)
    (tmp_path / "audit.jsonl").write_text(EXPORT)
    return tmp_path


def report(folder: Path, *options: str, against: str | None = "audit.jsonl", **more: Any) -> Result:
    named = (
        [] if against is None else ["--against", "-" if against == "-" else str(folder / against)]
    )
    words = ["policies", "report", *named, *options, str(folder / "policies")]
    return CliRunner().invoke(
        app, words, env={"BROKER_ISSUER": ISSUER}, catch_exceptions=False, **more
    )


def as_json(folder: Path, *options: str, **more: Any) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(report(folder, "--json", *options, **more).stdout)
    return members


def test_every_report_is_made_of_an_export(folder: Path) -> None:
    done = report(folder)

    assert (done.exit_code, done.stderr) == (0, "")
    assert "  old permitted none of 3 runs of github" in done.stdout
    assert "    write ref: refs/heads/main\n" in done.stdout
    assert "  old stopped to hold when 2026-01-31 began" in done.stdout
    found = as_json(folder)
    assert all(found[name] is not None for name in ALL_REPORTS)
    assert found == as_json(folder, against="-", input=EXPORT)
    assert report(folder, "--format", "markdown").stdout.startswith("### What the record says")


def test_only_some_reports_are_made(folder: Path) -> None:
    found = as_json(folder, "--only", "unused, expiring")

    assert [name for name in ALL_REPORTS if found[name] is not None] == ["unused", "expiring"]


def test_without_decisions_the_files_alone_are_looked_at(folder: Path) -> None:
    found = as_json(folder, against=None)

    assert [name for name in ALL_REPORTS if found[name] is not None] == ["shadowed", "expiring"]
    assert found["left_out"] == ["unused", "over-broad", "sub-form"]
    assert found["notes"][0].startswith("left out for want of decisions")
    done = report(folder, "--only", "unused", against=None)
    assert done.exit_code == 2
    assert "need what was decided: --against" in done.stderr


def test_it_ends_with_one_when_something_was_found_that_may_not_be(folder: Path) -> None:
    assert report(folder, "--fail-on", "none").exit_code == 0
    assert report(folder, "--fail-on", "shadowed,sub-form").exit_code == 0
    assert report(folder, "--fail-on", "unused").exit_code == 1
    assert report(folder, "--fail-on", "over-broad,shadowed").exit_code == 1
    assert report(folder, "--fail-on", "expiring", against=None).exit_code == 1


@pytest.mark.parametrize(
    ("options", "against", "said"),
    [
        (["--fail-on", "newly_denied"], "audit.jsonl", "is none of unused, over-broad"),
        (["--only", "unused,wide"], "audit.jsonl", "--only: 'wide' is none of"),
        (["--only", ","], "audit.jsonl", "--only: nothing is none of"),
        (["--only", "unused", "--fail-on", "expiring"], "audit.jsonl", "not among the reports"),
        (["--fail-on", "unused"], None, "unused needs what was decided"),
        (["--within", "soon"], "audit.jsonl", "--within: must be one number"),
        (["--since", "soon"], "audit.jsonl", "is no point in time"),
    ],
)
def test_options_that_cannot_be_meant_are_told(
    folder: Path, options: list[str], against: str | None, said: str
) -> None:
    done = report(folder, *options, against=against)

    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_how_soon_is_said_by_an_option(folder: Path) -> None:
    later = POLICIES.replace("2026-01-31", "2126-01-31")
    (folder / "policies/web.yaml").write_text(later)

    assert as_json(folder)["expiring"]["policies"] == []
    assert as_json(folder, "--within", "3650d")["expiring"]["policies"] == []
    assert report(folder, "--within", "4000d").exit_code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (EXPORT[:-200], "line 3 is not JSON: the export is cut off"),
        (EXPORT.replace("acme/x", "acme/y"), "line 3 is not the next event"),
        ('{"eventSource": "s3.amazonaws.com"}\n', "line 1 is no audit event of a broker"),
        ("", "holds no event"),
        (exported({**recorded(BEFORE), "observed": "web"}), "line 1 is no event of a broker"),
        (
            exported({**recorded(BEFORE), "claims": {"iss": "https://evil.example"},
                      "service_account": "x"}),
            "are the events of another broker?",
        ),
    ],
)  # fmt: skip
def test_an_export_that_cannot_be_believed_is_refused(folder: Path, text: str, said: str) -> None:
    (folder / "audit.jsonl").write_text(text)
    done = report(folder)

    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_span_leaves_decisions_out(folder: Path) -> None:
    assert as_json(folder, "--since", "2027-01-01")["read"]["decisions"] == 0
    assert as_json(folder, "--until", "2026-01-01")["read"]["decisions"] == 0


def test_files_that_do_not_load_end_it(folder: Path) -> None:
    (folder / "policies/web.yaml").write_text("policies: {web: {}}")

    assert report(folder).exit_code == 2


def test_the_store_of_a_running_broker_is_read_beside_it(tmp_path: Path) -> None:
    with audited_store(tmp_path) as store:
        words = ["policies", "report", "--json", "--against", "store"]
        done = CliRunner().invoke(app, words, env=store.environment(), catch_exceptions=False)
    found = json.loads(done.stdout)

    assert done.exit_code == 0, done.stderr
    # The files are those that decided.
    assert found["read"]["by_these_files"]["decisions"] == found["read"]["decisions"] > 0
    assert "accounts made or switched off through the API count as they are now" in found["notes"]


def test_a_month_of_traffic_says_what_was_never_needed(tmp_path: Path) -> None:
    month = Month(20_000, repositories=30, projects=5)
    texts = texts_of_the_month(30, 5)
    idle = texts["repo-3.yaml"].replace("repo-3-", "idle-").replace("acme/repo-3", "acme/idle")
    texts["idle.yaml"] = idle.replace("9000003", "77")
    ending = "    issuer: github\n    expires: 2026-12-01\n"
    texts["repo-5.yaml"] = texts["repo-5.yaml"].replace("    issuer: github\n", ending, 1)
    (tmp_path / "policies").mkdir()
    for name, text in texts.items():
        (tmp_path / "policies" / name).write_text(text)
    with (tmp_path / "audit.jsonl").open("w") as file:
        file.writelines(month.lines())
    words = ["policies", "report", "--json", "--against", str(tmp_path / "audit.jsonl")]
    done = CliRunner().invoke(
        app,
        [*words, "--within", "3650d", str(tmp_path / "policies")],
        env={"BROKER_ISSUER": BROKER},
        catch_exceptions=False,
    )
    found = json.loads(done.stdout)

    permitted = [run for run in month.runs if not hasattr(run.decision, "reason")]
    used = {name for run in permitted if not run.explained for name in run.decision.policies}
    unused = {each["policy"] for each in found["unused"]["policies"]}
    assert unused == {"idle-main", "idle-upload", "no-forks"} | (
        set(month.policies.policy_set.policies) - used
    )
    [ending_policy] = found["expiring"]["policies"]
    assert ending_policy["policy"] == "repo-5-main"
    assert ending_policy["newly_denied"] == sum(
        run.decision.policies == ("repo-5-main",) for run in permitted
    )
    refs = {each["policy"]: each["line"] for each in found["over_broad"]["found"]
            if each["claim"] == "ref" and each["breadth"] == "not_pinned"}  # fmt: skip
    assert refs["project-0-main"] == "ref: main"
    [org] = [each for each in found["over_broad"]["found"]
             if (each["policy"], each["breadth"]) == ("org-reads", "list")]  # fmt: skip
    assert (org["never"], org["line"]) == (["schedule"], "event_name: [push, pull_request]")
