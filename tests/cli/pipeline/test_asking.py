"""`broker whoami`, `explain` and `revoke` as a job runs them."""

import json
import time

import jwt
import pytest

from tests.client.stand_in import an_id_token, answering, as_json
from tests.consumers.conftest import Job
from tests.github_runner import GithubRunner


def test_whoami_shows_who_the_job_is_and_no_token(job: Job) -> None:
    shown = job.quiet("broker", "whoami", "--json")
    plain = job.quiet("broker", "whoami")
    assert "eyJ" not in shown + plain
    answer, plain_lines = json.loads(shown), plain.splitlines()

    assert answer["source"] == "GitLab CI"
    assert answer["claims"]["project_path"] == "acme/web"
    assert plain_lines[0] == "source: GitLab CI"
    assert any(line.split() == ["project_path", "acme/web"] for line in plain_lines)
    assert any(line.startswith("exp ") and "+00:00)" in line for line in plain_lines)


def test_whoami_asks_github_and_with_an_audience_no_broker(
    github_job: tuple[Job, GithubRunner],
) -> None:
    job, _ = github_job
    answer = json.loads(
        job.quiet(
            "broker",
            "whoami",
            "--json",
            "--audience",
            "https://b.example",
            BROKER_URL="https://b.example",
        )
    )

    assert (answer["source"], answer["claims"]["aud"]) == ("GitHub Actions", "https://b.example")
    # The broker of the tests names an audience that is not of its own address.
    done = job.run("broker", "whoami", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "https://broker.example" in done.stderr
    assert "--audience" in done.stderr


def test_whoami_prints_nothing_raw(job: Job) -> None:
    hostile = an_id_token(ref="\x1b[2J\n::error::", exp=10**400, iat="x", nbf=time.time())
    shown = job.run("broker", "whoami", BROKER_ID_TOKEN=hostile)

    assert shown.returncode == 0, shown.stderr
    assert all(line.isprintable() for line in shown.stdout.split("\n"))


def test_explain_says_what_would_be_and_spends_nothing(job: Job) -> None:
    before = job.exchanges()
    permit = job.quiet("broker", "explain", "deploy-api", "--scope", "deploy:read")
    assert permit.startswith("permit: https://deploy.example.com as ")
    assert "deploy:read, for 600 seconds" in permit
    as_told = json.loads(job.quiet("broker", "explain", "deploy-api", "--json"))

    assert as_told["decision"] == "permit"
    assert job.exchanges() == before


def test_explain_says_why_not(job: Job) -> None:
    token = job.broker.gitlab_token(ref_protected="false")
    done = job.run("broker", "explain", "deploy-api", BROKER_ID_TOKEN=token)

    assert (done.returncode, done.stderr) == (4, "")
    assert done.stdout.startswith("deny: no_policy_matched")
    assert "ref_protected" in done.stdout
    assert "decision_id: " in done.stdout
    told = job.run("broker", "explain", "deploy-api", "--json", BROKER_ID_TOKEN=token)
    assert (told.returncode, json.loads(told.stdout)["decision"]) == (4, "deny")


def test_explain_says_where_to_look_when_no_policy_came_near(job: Job) -> None:
    token = job.broker.gitlab_token(project_path="other/x", project_id="9", namespace_id="8")
    done = job.run("broker", "explain", "deploy-api", BROKER_ID_TOKEN=token)

    assert (done.returncode, done.stderr) == (4, "")
    assert "`broker whoami` shows what the job claims" in done.stdout


@pytest.mark.parametrize(
    "members",
    [
        {"candidates": "x", "fix": "a\n\x1b[2J", "reason": None},
        {"candidates": [1, {"conditions": "x"}, {"conditions": [2, {"got": "\x1b"}]}]},
        {"decision": "permit", "scopes": [1], "audience": "\x1b[2J"},
    ],
)  # fmt: skip
def test_explain_shows_what_any_broker_says(job: Job, members: dict[str, object]) -> None:
    with answering(as_json({"decision": "deny", **members})) as server:
        done = job.run("broker", "explain", "deploy-api", BROKER_URL=server.url)

    assert (done.returncode in (0, 4), done.stderr) == (True, "")
    assert all(line.isprintable() for line in done.stdout.split("\n"))


def revoked(job: Job) -> int:
    return sum(each["type"] == "token.revoked" for each in job.broker.events())


def test_what_a_job_has_kept_is_revoked_by_its_last_step(job: Job) -> None:
    before = revoked(job)
    tokens = [
        job.quiet("broker", "token", service).strip() for service in ("deploy-api", "artifacts")
    ]
    assert tokens[0] != tokens[1]
    # A fresh shell, as GitLab's after_script is one.
    done = job.run("sh", "-c", "broker revoke")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "2 revoked\n")
    assert revoked(job) == before + 2
    assert job.quiet("broker", "revoke", "--quiet") == ""
    assert job.quiet("broker", "token", "deploy-api").strip() != tokens[0]


def test_a_token_in_the_environment_is_revoked_whoever_has_it(job: Job) -> None:
    before = revoked(job)
    token = job.quiet("broker", "token", "deploy-api", "--no-cache").strip()
    for variables in ({}, {"GITLAB_CI": "", "GITHUB_ACTIONS": "true", "BROKER_ID_TOKEN": ""}):
        done = job.run("broker", "revoke", BROKER_TOKEN=token, more=variables)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "1 revoked\n")

    assert revoked(job) == before + 1
    assert jwt.decode(token, options={"verify_signature": False})["client_id"] == "deploy-web"


def test_without_an_identity_and_a_token_there_is_nothing_to_revoke(job: Job) -> None:
    done = job.run("broker", "revoke", BROKER_ID_TOKEN="")

    assert done.returncode == 3
    assert "id_tokens:" in done.stderr
