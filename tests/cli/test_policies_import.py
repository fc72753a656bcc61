"""`broker policies import`: exit codes, what is printed, and that it joins the files there are."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Broker = Callable[..., subprocess.CompletedProcess[str]]

CATALOGUE = """\
services:
  deploy-api: {audience: "https://deploy.example.com", scopes: {deploy:write: Start}}
"""
GRANT = ("--grant", "deploy-api=deploy:write")
HOST = "token.actions.githubusercontent.com"


def trust_policy(**condition: Any) -> str:
    block = {
        "StringEquals": {
            f"{HOST}:aud": "sts.amazonaws.com",
            f"{HOST}:sub": "repo:acme/web:ref:refs/heads/main",
        }
    }
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{HOST}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": block | condition,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": statement}, indent=2)


ROLE = json.dumps(
    {
        "role_type": "jwt",
        "bound_audiences": ["https://vault.example.com"],
        "bound_claims": {"project_id": "20", "ref": "main", "ref_type": "branch"},
        "user_claim": "project_id",
    }
)


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "catalogue.yaml").write_text(CATALOGUE)
    (tmp_path / "web.json").write_text(trust_policy())
    (tmp_path / "role.json").write_text(ROLE)
    return folder


def test_the_result_loads_and_its_tests_hold(broker: Broker, policies: Path) -> None:
    answer = broker("policies", "import", "aws", "web.json", *GRANT)
    (policies / "web.yaml").write_text(answer.stdout)

    assert answer.returncode == 0, answer.stderr
    assert broker("policies", "check").returncode == 0
    tested = broker("policies", "test")
    assert (tested.returncode, tested.stdout.splitlines()[0]) == (0, "✓ 3 tests held.")


def test_lints_of_the_result_are_told(broker: Broker, policies: Path) -> None:
    answer = broker("policies", "import", "aws", "web.json", *GRANT)

    assert "warning[sub-form]" in answer.stderr
    assert answer.stderr.startswith("the translation:")


def test_what_does_not_carry_over_is_told_with_its_line_and_in_comments_alone(
    broker: Broker, tmp_path: Path, policies: Path
) -> None:
    (tmp_path / "web.json").write_text(
        trust_policy(StringEqualsIfExists={f"{HOST}:environment": "x"})
    )

    answer = broker("policies", "import", "aws", "web.json", *GRANT)
    (policies / "web.yaml").write_text(answer.stdout)

    message = (
        'web.json:15:60: the operator "StringEqualsIfExists":'
        " it also holds for tokens without the claim; with the broker none does"
    )
    assert (answer.returncode, answer.stderr) == (1, message + "\n")
    assert answer.stdout == (
        f"# Not translated: aws, web.json. What does not carry over:\n# {message}\n"
    )
    assert broker("policies", "check").returncode == 0


@pytest.mark.parametrize("form", ["aws", "octo-sts"])
def test_a_line_end_does_not_carry_over(
    broker: Broker, tmp_path: Path, policies: Path, form: str
) -> None:
    sub = "repo:acme/web:\npolicies: {}"
    text = {
        "aws": trust_policy(StringLike={f"{HOST}:sub": sub}),
        "octo-sts": f"issuer: https://{HOST}\nsubject: {json.dumps(sub)}\n",
    }
    (tmp_path / "web").write_text(text[form])

    answer = broker("policies", "import", form, "web", *GRANT)

    assert answer.returncode == 1
    assert answer.stdout.startswith("# Not translated")
    assert all(line.startswith("# ") for line in answer.stdout.splitlines())
    assert "invisible or control character" in answer.stderr


def test_as_json(broker: Broker, tmp_path: Path, policies: Path) -> None:
    told = json.loads(broker("policies", "import", "aws", "web.json", *GRANT, "--json").stdout)
    (tmp_path / "web.json").write_text(trust_policy(Null={f"{HOST}:sub": "true"}))
    refused = broker("policies", "import", "aws", "web.json", *GRANT, "--json")

    assert told["faithful"] is True
    assert told["policies"].startswith("# Translated from aws, web.json.\n")
    assert (told["service_account"], told["not_carried"]) == ("web", [])
    assert any("sub-form" in each for each in told["findings"])
    assert refused.returncode == 1
    answer = json.loads(refused.stdout)
    assert (answer["faithful"], answer["policies"]) == (False, None)
    assert [(each["file"], each["line"]) for each in answer["not_carried"]] == [("web.json", 15)]


def test_without_grants_it_says_what_is_missing(broker: Broker, policies: Path) -> None:
    answer = broker("policies", "import", "aws", "web.json")
    (policies / "web.yaml").write_text(answer.stdout)

    assert answer.returncode == 0
    assert "it does not load yet" in answer.stderr
    assert "#   web:\n#     grants: {SERVICE: [SCOPE]}\n" in answer.stdout
    assert "no file defines the account `web`" in broker("policies", "check").stdout


def test_an_account_that_is_there_keeps_what_it_may_do(broker: Broker, policies: Path) -> None:
    (policies / "web.yaml").write_text(
        "service_accounts: {deploy-web: {grants: {deploy-api: [deploy:write]}}}\n"
    )

    answer = broker("policies", "import", "aws", "web.json", "--service-account", "deploy-web")

    assert answer.returncode == 0, answer.stderr
    assert "service_accounts:" not in answer.stdout
    assert "tests:" not in answer.stdout


def test_grants_beside_an_account_that_is_there_narrow_it(broker: Broker, policies: Path) -> None:
    (policies / "web.yaml").write_text(
        "service_accounts: {deploy-web: {grants: {deploy-api: [deploy:write]}}}\n"
    )

    answer = broker(
        "policies", "import", "aws", "web.json", "--service-account", "deploy-web", *GRANT
    )

    assert answer.returncode == 0, answer.stderr
    assert "service_accounts:" not in answer.stdout
    assert "    grants: {deploy-api: [deploy:write]}\n" in answer.stdout


def test_an_issuer_that_is_there_is_named(broker: Broker, policies: Path) -> None:
    (policies / "issuers.yaml").write_text("issuers: {gh: {preset: github}}\n")

    answer = broker("policies", "import", "aws", "web.json", *GRANT)

    assert answer.returncode == 0, answer.stderr
    assert "    issuer: gh\n" in answer.stdout
    assert "issuers:" not in answer.stdout


def test_the_name_of_another_issuer_is_not_taken(broker: Broker, policies: Path) -> None:
    (policies / "issuers.yaml").write_text(
        'issuers: {github: {preset: github, issuer: "https://ghes.corp.example/_services/token"}}\n'
    )

    answer = broker("policies", "import", "aws", "web.json", *GRANT)

    assert answer.returncode == 0, answer.stderr
    assert "issuers:\n  github-imported: {preset: github}\n" in answer.stdout


@pytest.mark.parametrize(
    "issuer", ["gitlab", "https://gitlab.com", "corp"], ids=["preset", "url", "name"]
)
def test_a_role_takes_the_issuer_that_is_named(broker: Broker, policies: Path, issuer: str) -> None:
    (policies / "issuers.yaml").write_text(
        "issuers: {corp: {preset: gitlab, issuer: https://gitlab.corp.example}}\n"
    )
    preset = ["--preset", "gitlab"] if issuer == "corp" else []

    answer = broker("policies", "import", "vault", "role.json", "--issuer", issuer, *preset, *GRANT)

    assert answer.returncode == 0, answer.stderr
    assert f"    issuer: {'corp' if issuer == 'corp' else 'gitlab'}\n" in answer.stdout


def test_a_self_managed_platform_is_written_with_its_url(broker: Broker, policies: Path) -> None:
    answer = broker(
        "policies", "import", "vault", "role.json", "--issuer", "https://gitlab.corp.example",
        "--preset", "gitlab", *GRANT,
    )  # fmt: skip

    assert answer.returncode == 0, answer.stderr
    assert "{preset: gitlab, issuer: " in answer.stdout


def test_a_policy_comes_from_stdin(broker: Broker, policies: Path) -> None:
    text = f"issuer: https://{HOST}\nsubject: repo:acme/web:ref:refs/heads/main\n"

    answer = broker(
        "policies", "import", "octo-sts", "-", "--service-account", "web", *GRANT, stdin=text
    )

    assert answer.returncode == 0, answer.stderr


def test_without_policy_files_it_still_translates(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "web.json").write_text(trust_policy())

    assert broker("policies", "import", "aws", "web.json").returncode == 0


def test_a_folder_may_be_named(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "web.json").write_text(trust_policy())
    (tmp_path / "catalogue.yaml").write_text(CATALOGUE)

    answer = broker("policies", "import", "aws", "web.json", *GRANT, "--policies", "catalogue.yaml")

    assert answer.returncode == 0, answer.stderr


def test_a_deny_policy_of_the_set_that_stops_it_is_told(broker: Broker, policies: Path) -> None:
    (policies / "stop.yaml").write_text(
        "issuers: {github: {preset: github}}\n"
        "policies:\n"
        "  stop: {effect: deny, issuer: github, match: {repository_owner: acme}}\n"
    )

    answer = broker("policies", "import", "aws", "web.json", *GRANT)

    assert answer.returncode == 1
    assert answer.stdout.startswith("# Not translated")
    assert "denied_by_policy" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["aws", "absent.json"], "cannot be read"),
        (["aws", "role.json"], "no statement"),
        (["vault", "web.json", "--issuer", "github"], "role_type"),
        (["aws", "web.json", "--grant", "x=y"], "there is no service `x`"),
        (["aws", "web.json", "--grant", "x"], "is not SERVICE=SCOPE"),
        (["aws", "web.json", "--service-account", "Web"], "is no id of an account"),
        (["aws", "web.json", "--service-account", "m-web"], "is no id of an account"),
        (["aws", "web.json", "--issuer", "https://gitlab.com"], "the file names another issuer"),
        (["vault", "role.json", "--issuer", "x"], "there is no issuer 'x'; known: github, gitlab"),
        (["aws", "web.json", "--policies", "absent"], "no such file or folder"),
    ],
)
def test_what_cannot_be_done_is_said(
    broker: Broker, policies: Path, arguments: list[str], told: str
) -> None:
    answer = broker("policies", "import", *arguments)

    assert answer.returncode == (1 if told == "role_type" else 2)
    assert told in answer.stderr
    assert answer.stdout == "" or answer.stdout.startswith("# ")


def test_a_file_whose_name_says_nothing_needs_the_account_named(
    broker: Broker, tmp_path: Path, policies: Path
) -> None:
    (tmp_path / "_.json").write_text(trust_policy())

    answer = broker("policies", "import", "aws", "_.json", *GRANT)

    assert answer.returncode == 2
    assert "--service-account" in answer.stderr


def test_delegated_folders_do_not_hinder(broker: Broker, tmp_path: Path, policies: Path) -> None:
    (policies / "teams").mkdir()
    (tmp_path / "broker.yaml").write_text(
        "folders: {teams/: {maps: [policies], effects: [allow], service_accounts: ['web-*'],"
        " services: [deploy-api]}}\n"
    )

    answer = broker("policies", "import", "aws", "web.json", *GRANT)

    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("of", ["tenant: [project_id]", "preset: github"])
def test_an_issuer_that_is_read_otherwise_is_not_joined(
    broker: Broker, policies: Path, of: str
) -> None:
    (policies / "issuers.yaml").write_text(
        f'issuers: {{corp: {{issuer: "https://ci.corp.example", {of}}}}}\n'
    )

    answer = broker(
        "policies", "import", "vault", "role.json", "--issuer", "corp", "--preset", "gitlab", *GRANT
    )

    assert (answer.returncode, answer.stdout) == (2, "")
    told = "no preset" if "tenant" in of else "the preset github"
    assert f"your issuer `corp` has {told}; this was read as tokens of gitlab" in answer.stderr


def test_stdin_that_is_closed_is_said(tmp_path: Path) -> None:
    answer = in_a_shell('"$0" -m broker policies import aws - <&-', tmp_path)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "broker: - is stdin, which is closed\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
@pytest.mark.parametrize("form", ["aws", "vault"])
def test_a_full_disk_is_said(tmp_path: Path, form: str) -> None:
    (tmp_path / "web.json").write_text(trust_policy())

    answer = in_a_shell(f'"$0" -m broker policies import {form} web.json >/dev/full', tmp_path)

    assert answer.returncode == 2
    assert answer.stderr.startswith("broker: the result cannot be written, so use none of it: ")


def in_a_shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command, sys.executable],
        cwd=folder,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
