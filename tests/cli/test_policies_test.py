"""`broker policies test`: what is printed and how it ends."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Broker = Callable[..., subprocess.CompletedProcess[str]]

SET = """\
issuers:
  github: {preset: github}
services:
  deploy-api: {audience: "https://deploy.example.com", scopes: {"deploy:write": Start}}
service_accounts:
  deploy-web: {grants: {deploy-api: ["deploy:write"]}}
policies:
  web:
    {service_account: deploy-web, issuer: github, match: {repository: acme/web, repository_id: 1}}
tests:
  - {name: acme/web deploys, issuer: github, base: push, claims: {repository_id: 1}, expect: permit}
"""
FAILING = """\
  - name: another repository deploys
    issuer: github
    base: push
    claims: {repository_id: 2}
    expect: permit
"""


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    file = tmp_path / "policies" / "web.yaml"
    file.write_text(SET)
    return file


def test_tests_that_hold_are_counted_and_what_is_untried_is_named(
    broker: Broker, policies: Path
) -> None:
    answer = broker("policies", "test", "policies")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == "✓ 1 test held.\nNo test that comes near is denied by: web.\n"


def test_a_test_that_fails_is_told_with_its_place_and_what_it_missed_by(
    broker: Broker, policies: Path
) -> None:
    policies.write_text(SET + FAILING)

    answer = broker("policies", "test", "policies")

    assert (answer.returncode, answer.stderr) == (1, "")
    assert answer.stdout == (
        "✗ policies/web.yaml:12: another repository deploys\n"
        "    expected permit, got deny no_policy_matched: nearest is policy `web`"
        " (policies/web.yaml:8), repository_id: expected 1, got 2\n"
        "✗ 1 of 2 tests failed.\n"
        "No test that comes near is denied by: web.\n"
    )


def test_files_that_do_not_load_run_no_test(broker: Broker, policies: Path) -> None:
    policies.write_text(SET + FAILING.replace("base: push", "base: pish"))

    answer = broker("policies", "test", "policies")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        "policies/web.yaml:14:11: github has no event `pish`; did you mean `push`?\n"
    )


def test_a_path_where_nothing_is_is_a_usage_error(broker: Broker, policies: Path) -> None:
    answer = broker("policies", "test", "rules", "policies")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        "rules: there is no such file or folder; name policy files that are there, or the"
        " configuration that does with --config\n"
    )


def test_all_problems_of_a_set_are_listed(broker: Broker, policies: Path) -> None:
    policies.write_text("policy: {}\ntests: [{name: t, issuer: github, expect: maybe}]\n")

    answer = broker("policies", "test")

    assert answer.returncode == 2
    assert [line.split(":")[1] for line in answer.stderr.splitlines()] == ["1", "1", "2", "2"]


def test_without_a_path_the_folder_policies_is_tested(broker: Broker, policies: Path) -> None:
    answer = broker("policies", "test")

    assert answer.returncode == 0
    assert "1 test held" in answer.stdout


def test_without_a_path_the_configured_folder_is_tested(
    broker: Broker, policies: Path, tmp_path: Path
) -> None:
    policies.parent.rename(tmp_path / "rules")
    (tmp_path / "broker.yaml").write_text("policies: rules/\n")

    assert "1 test held" in broker("policies", "test").stdout
    assert broker("policies", "test", "policies").returncode == 2


def test_a_configuration_can_be_named_and_needs_no_master_key(
    broker: Broker, policies: Path, tmp_path: Path
) -> None:
    config = tmp_path / "etc" / "production.yaml"
    config.parent.mkdir()
    config.write_text(
        "issuer: https://broker.example.com\nlisten: 0.0.0.0:8080\ntokens: {ttl: 3m}\n"
        "master_key_file: /run/secrets/master.key\npolicies: ../policies\n"
    )
    policies.write_text(SET.replace("expect: permit", "expect: {permit: {ttl: 3m}}"))

    answer = broker("policies", "test", "--config", "etc/production.yaml")

    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_wrong_configuration_is_a_usage_error(
    broker: Broker, policies: Path, tmp_path: Path
) -> None:
    (tmp_path / "broker.yaml").write_text("tokens: {ttl: 10}\n")

    answer = broker("policies", "test")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("broker.yaml:1:15: tokens.ttl:")


def test_a_set_may_be_named_file_by_file(broker: Broker, policies: Path) -> None:
    head, tests = SET.split("tests:\n")
    policies.write_text(head)
    (policies.parent / "tests.yaml").write_text("tests:\n" + tests)

    answer = broker("policies", "test", "policies/web.yaml", "policies/tests.yaml")

    assert "1 test held" in answer.stdout


def test_files_without_tests_are_no_failure(broker: Broker, policies: Path) -> None:
    policies.write_text(SET.partition("tests:")[0])

    answer = broker("policies", "test")

    assert answer.returncode == 0
    assert answer.stdout.startswith("There are no tests in these files.\nNo test is permitted by: ")


def test_verbose_also_names_what_holds(broker: Broker, policies: Path) -> None:
    policies.write_text(SET + FAILING)

    lines = broker("policies", "test", "--verbose").stdout.splitlines()

    assert lines[:2] == [
        "✓ policies/web.yaml:11: acme/web deploys",
        "✗ policies/web.yaml:12: another repository deploys",
    ]


def test_a_test_that_has_lapsed_fails_and_says_that_the_set_still_loads(
    broker: Broker, policies: Path
) -> None:
    policies.write_text(SET.replace("github, match", "github, expires: 2020-01-01, match"))

    answer = broker("policies", "test")

    assert answer.returncode == 1
    assert "it has expired\n    only because something has expired" in answer.stdout


def test_json_tells_the_same(broker: Broker, policies: Path) -> None:
    policies.write_text(SET + FAILING)

    answer = broker("policies", "test", "--json")

    assert answer.returncode == 1
    assert json.loads(answer.stdout) == {
        "tests": [
            {
                "name": "acme/web deploys",
                "place": "policies/web.yaml:11",
                "holds": True,
                "lapsed": False,
                "fault": None,
            },
            {
                "name": "another repository deploys",
                "place": "policies/web.yaml:12",
                "holds": False,
                "lapsed": False,
                "fault": "expected permit, got deny no_policy_matched: nearest is policy `web`"
                " (policies/web.yaml:8), repository_id: expected 1, got 2",
            },
        ],
        "failed": 1,
        "coverage": {"policies": ["web"], "never_permits": [], "never_denies": ["web"]},
    }


# --- dev/ -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "paths",
    [
        ["policies"],
        ["policies/dev"],
        ["policies/dev/deploy-api.yaml"],
        ["policies/issuers.yaml", "policies/dev"],
    ],
)
def test_the_dev_issuers_are_there_where_dev_is(
    broker: Broker, shipped: Path, paths: list[str]
) -> None:
    answer = broker("policies", "test", *paths)

    assert (answer.returncode, answer.stderr) == (0, "")
    assert "Each allow policy permits one of them" in answer.stdout


def test_the_dev_issuers_are_there_behind_a_public_configuration(
    broker: Broker, shipped: Path, tmp_path: Path
) -> None:
    (tmp_path / "broker.yaml").write_text("issuer: https://broker.acme.example\n")

    assert broker("policies", "test").returncode == 0


def test_what_needs_dev_to_load_does_not_load(broker: Broker, shipped: Path) -> None:
    (shipped / "more.yaml").write_text(
        "policies: {x: {service_account: deploy-web, issuer: github, match: {repository: a/b}}}\n"
    )

    answer = broker("policies", "test")

    assert answer.returncode == 2
    assert "no file defines the account `deploy-web`" in answer.stderr


# --- people and programs --------------------------------------------------------------------------


def on_a_terminal(folder: Path, environment: dict[str, str]) -> str:
    """Run the command with a terminal as its stdout and give what it wrote there."""
    reader, writer = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-m", "broker", "policies", "test"],
            cwd=folder,
            env=environment,
            stdout=writer,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        os.close(writer)
        return os.read(reader, 65_536).decode()
    finally:
        os.close(reader)


def test_a_terminal_shows_colours(
    tmp_path: Path, environment: dict[str, str], policies: Path
) -> None:
    assert "\x1b[32m" in on_a_terminal(tmp_path, environment)


def test_no_color_is_respected(tmp_path: Path, environment: dict[str, str], policies: Path) -> None:
    shown = on_a_terminal(tmp_path, environment | {"NO_COLOR": "1"})

    assert "\x1b" not in shown
    assert "1 test held" in shown


def test_a_stream_without_unicode_gets_words_instead_of_signs(
    tmp_path: Path, environment: dict[str, str], policies: Path
) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "broker", "policies", "test"],
        cwd=tmp_path,
        env=environment | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=60,
        check=True,
    )

    assert answer.stdout.startswith(b"[ok] 1 test held.")


def test_observed_policies_decide_tests_when_they_are_asked_to(
    broker: Broker, policies: Path
) -> None:
    watching = "match: {repository: acme/web, repository_id: 2}, mode: observe}\n"
    next_policy = f"  next: {{service_account: deploy-web, issuer: github, {watching}"
    policies.write_text(SET.replace("tests:\n", f"{next_policy}tests:\n") + FAILING)

    without, with_them = (broker("policies", "test", *options) for options in ([], ["--observed"]))

    assert (without.returncode, with_them.returncode) == (1, 0)
    assert "✓ 2 tests held." in with_them.stdout
