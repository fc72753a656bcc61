"""`broker policies observed`: what it reads, what it prints, and how it ends."""

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from broker.cli.app import app
from broker.core.policy import Mode
from tests.audited_broker import AuditedStore
from tests.cli.test_policies_simulate import exported
from tests.core.builders import BROKER, a_policy
from tests.core.simulation.recording import recorded, then
from tests.special_brokers import special_broker

MAIN = {"repository": "acme/web", "ref": "refs/heads/main"}
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
    match: {repository: acme/web, ref: refs/heads/main}
  next: {service_account: deploy-web, issuer: github, match: {repository: acme/web}, mode: observe}
  never: {service_account: deploy-web, issuer: github, match: {repository: acme/x}, mode: observe}
"""
SET = then(a_policy("web", MAIN), a_policy("next", mode=Mode.OBSERVE))
EXPORT = exported(recorded(SET), recorded(SET, ref="refs/heads/x"), recorded(SET, ref="x"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/web.yaml").write_text(POLICIES)
    (tmp_path / "audit.jsonl").write_text(EXPORT)
    return tmp_path


def observed(folder: Path, *options: str) -> Result:
    words = ["policies", "observed", "--against", str(folder / "audit.jsonl"), *options]
    return CliRunner().invoke(
        app,
        [*words, str(folder / "policies")],
        env={"BROKER_ISSUER": BROKER},
        catch_exceptions=False,
    )


def test_it_tells_what_would_be_and_ends_well(folder: Path) -> None:
    done = observed(folder)

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("3 runs of 1 repository, ")
    assert "  2 would permit\n  0 would deny\n" in done.stdout
    assert "next (allow, deploy-web): held in 3 runs of 1 repository" in done.stdout
    assert done.stdout.endswith("never held:\n  never\n")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("would_permit", 1),
        ("would_deny, would_change,undecidable", 0),
        ("never_held", 1),
        ("none", 0),
    ],
)
def test_it_fails_on_what_it_is_told_to(folder: Path, words: str, code: int) -> None:
    assert observed(folder, "--fail-on", words).exit_code == code


@pytest.mark.parametrize("words", ["newly_denied", "none,would_deny", ""])
def test_an_unknown_word_is_told(folder: Path, words: str) -> None:
    done = observed(folder, "--fail-on", words)

    assert done.exit_code == 2
    assert "is none of would_permit, would_deny, would_change, undecidable" in done.stderr


def test_the_formats_say_the_same(folder: Path) -> None:
    as_json = json.loads(observed(folder, "--json").stdout)
    assert as_json == json.loads(observed(folder, "--format", "json").stdout)
    assert (as_json["would_permit"], as_json["same"], as_json["notes"]) == (2, 1, [])
    markdown = observed(folder, "--format", "markdown").stdout
    assert markdown.startswith("### What the observed policies would do\n")


def test_alone_decides_again(folder: Path) -> None:
    done = observed(folder, "--alone", "--json")

    members = json.loads(done.stdout)
    assert (members["view"], members["would_permit"], members["same"]) == ("alone", 2, 1)


def test_files_without_an_observed_policy_are_told(folder: Path) -> None:
    (folder / "policies/web.yaml").write_text(POLICIES.replace(", mode: observe", ""))

    done = observed(folder)

    assert done.exit_code == 2
    assert "no policy of these files has `mode: observe`" in done.stderr


def test_the_export_of_another_broker_is_refused(folder: Path) -> None:
    events = [json.loads(line) for line in EXPORT.splitlines()]
    bare = [
        {name: value for name, value in each.items() if name not in ("seq", "prev", "hash")}
        | {"claims": {"iss": "https://elsewhere.example"}, "service_account": "other"}
        for each in events
    ]
    (folder / "audit.jsonl").write_text("".join(json.dumps(each) + "\n" for each in bare))

    done = observed(folder)

    assert done.exit_code == 2
    assert "are the events of another broker?" in done.stderr


def test_an_edited_observation_is_refused_at_its_line(folder: Path) -> None:
    (folder / "audit.jsonl").write_text(EXPORT.replace("would_permit", "same", 1))

    done = observed(folder)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "line 2 is not the next event" in done.stderr


def test_a_span_leaves_runs_out(folder: Path) -> None:
    assert observed(folder, "--until", "2026-01-01").stdout.startswith("no decision is on record")


REVIEWER = """\
service_accounts:
  reviewer: {grants: {broker: ["broker:audit:read"]}}
policies:
  reviewer:
    service_account: reviewer
    issuer: github
    match: {repository_id: 456789, environment: review}
  next:
    service_account: deploy-web
    issuer: github
    match: {repository_id: 456789, ref: {glob: "refs/heads/**"}}
    mode: observe
"""


def test_a_broker_is_asked_by_its_api(tmp_path: Path) -> None:
    served, token = tmp_path / "broker", tmp_path / "token"
    served.mkdir()
    # The command goes by the clock of this machine.
    with special_broker(served, REVIEWER, now=time.time()) as broker:
        for ref in ("refs/heads/main", "refs/heads/x"):
            broker.exchange(broker.github_token(ref=ref))
        token.write_text(broker.github_token(environment="review", ref="refs/heads/policies"))
        options = ["--server", broker.url, "--id-token-file", str(token), "--json"]
        done = CliRunner().invoke(
            app,
            ["policies", "observed", *options],
            env=AuditedStore(broker).environment(),
            catch_exceptions=False,
        )

    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["would_permit"], found["decisions"]) == (1, 3)
