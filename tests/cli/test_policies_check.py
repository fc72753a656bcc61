"""`broker policies check`: exit codes and formats."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.cli.policies.check_output import annotation
from broker.cli.policies.checked import Told

Broker = Callable[..., subprocess.CompletedProcess[str]]

BASE = """\
issuers: {github: {preset: github}}
services:
  api: {audience: "https://api.example", scopes: {api:write: Write}}
service_accounts:
  web: {grants: {api: [api:write]}}
"""
POLICY = """\
policies:
  web:
    service_account: web
    issuer: github
    match:
      repository_id: 456789
      ref: REF
"""
SOUND = BASE + POLICY.replace("REF", "refs/heads/main")
WARNED = SOUND.replace("repository_id: 456789", "repository: acme/web")
OPEN = BASE + POLICY.replace("REF", '{glob: "refs/heads/*"}')
MESSAGE = (
    "any branch that someone can push to matches; name the branch, `ref: refs/heads/main`, or add"
    " `environment: NAME` (docs/lints/any-ref.md)"
)


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    return folder


def test_sound_files_are_clean(broker: Broker, policies: Path) -> None:
    (policies / "web.yaml").write_text(SOUND)

    answer = broker("policies", "check")

    assert (answer.returncode, answer.stdout) == (0, "")
    assert answer.stderr == "no findings in 1 policy\n"


def test_a_finding_shows_its_line(broker: Broker, policies: Path) -> None:
    (policies / "web.yaml").write_text(OPEN)

    answer = broker("policies", "check")

    assert answer.returncode == 1
    assert answer.stdout == (
        f"policies/web.yaml:12:12: error[any-ref] {MESSAGE}\n"
        '   12 |       ref: {glob: "refs/heads/*"}\n'
        "      |            ^\n"
    )
    assert answer.stderr == "1 error in 1 policy\n"


def test_warnings_alone_are_no_failure(broker: Broker, policies: Path) -> None:
    (policies / "web.yaml").write_text(WARNED)

    answer = broker("policies", "check", "policies/web.yaml")

    assert answer.returncode == 0
    assert answer.stdout.startswith("policies/web.yaml:11:7: warning[names-without-ids] ")
    assert answer.stderr == "1 warning in 1 policy\n"


def test_what_does_not_load_exits_with_2(broker: Broker, policies: Path) -> None:
    (policies / "web.yaml").write_text(OPEN + "      reff:\tx\n" + "a" * 500 + ": [\n")

    answer = broker("policies", "check")

    assert answer.returncode == 2
    assert answer.stdout.startswith(
        "policies/web.yaml:13:12: error[load] a tab; indent and separate with spaces\n"
        "   13 |       reff:\N{REPLACEMENT CHARACTER}x\n"
        "      |            ^\n"
    )
    assert max(map(len, answer.stdout.split("\n"))) < 130
    assert answer.stderr == "the files do not load: 1 problem\n"


def test_a_long_line_is_cut_around_the_place(broker: Broker, policies: Path) -> None:
    scopes = ", ".join(f"s{number}: S" for number in range(100))
    (policies / "web.yaml").write_text(
        f"services: {{api: {{audience: x, scopes: {{{scopes}}}, bad: 1}}}}"
    )

    answer = broker("policies", "check")

    shown, caret = answer.stdout.split("\n")[1:3]
    assert answer.returncode == 2
    assert len(shown) < 130
    assert shown[caret.index("^") :].startswith("bad: 1")


@pytest.mark.parametrize("path", ["nowhere", "policies/nowhere.yaml"])
def test_a_path_without_files_exits_with_2(broker: Broker, policies: Path, path: str) -> None:
    answer = broker("policies", "check", path)

    assert answer.returncode == 2
    assert answer.stdout == (
        f"{path}: error[load] there is no such file or folder; name policy files that are there,"
        " or the configuration that does with --config\n"
    )


@pytest.mark.parametrize("options", [["--json"], ["--format", "json"]])
def test_json_has_findings_and_what_is_accepted(
    broker: Broker, policies: Path, options: list[str]
) -> None:
    (policies / "web.yaml").write_text(
        OPEN.replace("  web:\n    serv", "  web: # allow: any-ref previews, INC-7 — é\n    serv")
        + POLICY.replace("  web:", "  other:").replace("REF", "main").replace("policies:\n", "")
    )

    answer = broker("policies", "check", *options)

    assert answer.returncode == 0
    printed = json.loads(answer.stdout)
    assert (printed["loads"], printed["policies"]) == (True, 2)
    assert [(each["code"], each["line"], each["level"]) for each in printed["findings"]] == [
        ("ref-form", 18, "warning")
    ]
    assert printed["accepted"] == [
        {
            "file": "policies/web.yaml",
            "line": 12,
            "column": 12,
            "level": "error",
            "code": "any-ref",
            "message": MESSAGE,
            "title": "Every branch or tag matches",
            "page": "docs/lints/any-ref.md",
            "reason": "previews, INC-7 — é",
        }
    ]


def test_json_tells_why_the_files_do_not_load(broker: Broker, policies: Path) -> None:
    (policies / "web.yaml").write_text("policies: {web: {issuer: github}}")

    answer = broker("policies", "check", "--json")

    assert answer.returncode == 2
    printed = json.loads(answer.stdout)
    assert printed["loads"] is False
    assert {each["code"] for each in printed["findings"]} == {"load"}


def test_annotations_name_file_line_and_column(broker: Broker, policies: Path) -> None:
    (policies / "web.yaml").write_text(OPEN)

    answer = broker("policies", "check", "--format", "github")

    assert answer.returncode == 1
    assert answer.stdout == (
        f"::error file=policies/web.yaml,line=12,col=12,title=any-ref::{MESSAGE}\n"
    )


def test_what_separates_the_parts_of_an_annotation_is_escaped() -> None:
    told = Told("a,b:c%\n.yaml", 3, 4, "info", "x", "100 %: one,\r\ntwo::error::", "X")

    assert annotation(told) == (
        "::notice file=a%2Cb%3Ac%25%0A.yaml,line=3,col=4,title=x::100 %25: one,%0D%0Atwo::error::"
    )


def test_a_fault_of_a_whole_file_has_no_line_in_its_annotation() -> None:
    told = Told("a.yaml", 0, 0, "warning", "load", "broken", "X")

    assert annotation(told) == "::warning file=a.yaml,title=load::broken"


@pytest.mark.parametrize("name", ["a\n::add-mask::x.yaml", "a\x1b[31m.yaml", "a\udcff.yaml"])
@pytest.mark.parametrize("output", ["text", "json", "sarif", "github"])
def test_a_file_whose_name_is_not_printable_is_refused_by_a_name_that_is(
    broker: Broker, policies: Path, name: str, output: str
) -> None:
    (policies / name).write_text(OPEN)

    answer = broker("policies", "check", "--format", output)

    assert answer.returncode == 2
    assert "rename it" in answer.stdout
    assert "any-ref]" not in answer.stdout
    assert "\n::add-mask" not in answer.stdout + answer.stderr
    assert "\x1b" not in answer.stdout + answer.stderr


def test_no_command_begins_a_line_with_the_name_of_a_file(broker: Broker, policies: Path) -> None:
    name = policies / "a\n::add-mask::x.yaml"
    name.write_text(OPEN)

    for command in (("test",), ("explain", "--claims", "-"), ("check", str(name))):
        answer = broker("policies", *command, stdin="{}")

        assert answer.returncode == 2
        assert "policies/a\\n::add-mask::x.yaml: " in answer.stdout + answer.stderr


def test_sarif_has_rules_results_and_suppressions(
    broker: Broker, policies: Path, tmp_path: Path
) -> None:
    (policies / "a b.yaml").write_text(OPEN)
    (tmp_path / "elsewhere.yaml").write_text(
        "issuers: # x\n  old: {preset: gitlab} # allow: unused-issuer kept until INC-7 is done\n"
    )

    answer = broker(
        "policies", "check", "--format", "sarif", "policies", str(tmp_path / "elsewhere.yaml")
    )

    assert answer.returncode == 1
    log = json.loads(answer.stdout)
    (run,) = log["runs"]
    assert (log["version"], run["columnKind"]) == ("2.1.0", "unicodeCodePoints")
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert rules["any-ref"]["defaultConfiguration"] == {"level": "error"}
    assert rules["author-chosen"]["defaultConfiguration"] == {"level": "note"}
    found, accepted = run["results"]
    assert (found["ruleId"], found["level"], found["message"]) == (
        "any-ref",
        "error",
        {"text": MESSAGE},
    )
    assert found["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "policies/a%20b.yaml"},
        "region": {"startLine": 12, "startColumn": 12},
    }
    assert "suppressions" not in found
    assert accepted["suppressions"] == [
        {"kind": "inSource", "justification": "kept until INC-7 is done"}
    ]
    uri = accepted["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == (tmp_path / "elsewhere.yaml").as_uri()


def test_sarif_tells_why_the_files_do_not_load(broker: Broker) -> None:
    answer = broker("policies", "check", "--format", "sarif", "nowhere")

    assert answer.returncode == 2
    (result,) = json.loads(answer.stdout)["runs"][0]["results"]
    assert result["ruleId"] == "load"
    assert result["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "nowhere"}}}]


def test_the_dev_folder_is_checked_with_the_dev_platform(broker: Broker, policies: Path) -> None:
    (policies / "web.yaml").write_text(SOUND)
    (policies / "dev").mkdir()
    (policies / "dev" / "dev.yaml").write_text(
        POLICY.replace("REF", '{glob: "**"}').replace("github", "dev-github").replace("web:", "d:")
    )

    answer = broker("policies", "check")

    assert answer.returncode == 1
    assert [line for line in answer.stdout.split("\n") if "error[" in line] == [
        line for line in answer.stdout.split("\n") if line.startswith("policies/dev/dev.yaml:7:")
    ]


@pytest.mark.parametrize("paths", [["policies"], ["policies/dev"]])
def test_the_shipped_policies_are_clean(environment: dict[str, str], paths: list[str]) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "broker", "policies", "check", *paths],
        cwd=environment["PYTHONPATH"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (answer.returncode, answer.stdout) == (0, "")
