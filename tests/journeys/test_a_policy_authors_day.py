"""A policy author's day with the real commands: from the first draft to the fix in force."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator

from broker.testing import FakeIssuer, github_claims

ROOT = Path(__file__).parents[2]
AUDIENCE = "https://broker.example.com"
CATALOGUE = """\
issuers:
  github: {preset: github, issuer: "ISSUER", audiences: [AUDIENCE]}
services:
  deploy-api:
    audience: https://deploy.example.com
    scopes: {deploy:read: See deployments, deploy:write: Start a deployment}
service_accounts:
  deploy-web: {grants: {deploy-api: [deploy:read, deploy:write]}}
"""
DRAFT = """\
policies:
  web:
    service-account: deploy-web
    issuer: github
    match: {repository: acme/web}
"""
SECOND = """\
policies:
  web:
    service_account: deploy-web
    issuer: github
    match:
      repository_id: 456789
      ref: {glob: "refs/heads/*"}
"""
THIRD = """\
policies:
  web:
    service_account: deploy-web
    issuer: github
    match:
      repository_id: 456789
      ref: REF
tests:
  - name: main deploys
    issuer: github
    base: push
    claims: {repository_id: "456789", ref: refs/heads/main}
    request: {audience: deploy-api}
    expect: permit
  - name: a pull request gets nothing
    issuer: github
    base: pull_request
    claims: {repository_id: "456789"}
    request: {audience: deploy-api}
    expect: deny
"""
ONLY_MAIN = THIRD.replace("REF", "refs/heads/main")
WITH_RELEASES = THIRD.replace("REF", "[refs/heads/main, refs/heads/release-2]")


class Author:
    """A person with a terminal in a folder, and a broker that serves from it."""

    def __init__(self, folder: Path, issuer: FakeIssuer) -> None:
        self.folder = folder
        self.issuer = issuer
        self.audit: list[dict[str, Any]] = []
        self.said: list[str] = []
        self._more = threading.Condition()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
        self._environment = kept | {"PYTHONPATH": str(ROOT)}

    def writes(self, text: str) -> None:
        (self.folder / "policies" / "web.yaml").write_text(text)

    def runs(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "broker", *command],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def serves(self, stack: ExitStack) -> "subprocess.Popen[str]":
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "broker", "serve", "--listen", "127.0.0.1:0"],
                cwd=self.folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        readers = [
            threading.Thread(target=self._reads_audit, args=(process,)),
            threading.Thread(target=self._reads_log, args=(process,)),
        ]
        for reader in readers:
            reader.start()
            stack.callback(reader.join)
        stack.callback(process.kill)
        return process

    def waits_for(self, words: str) -> str:
        with self._more:
            assert self._more.wait_for(lambda: self._line(words) is not None, timeout=60), self.said
        return self._line(words) or ""

    def event(self, decision_id: str) -> dict[str, Any]:
        with self._more:
            assert self._more.wait_for(lambda: self._event(decision_id) is not None, timeout=60)
        return self._event(decision_id) or {}

    def job_token(self, **claims: Any) -> str:
        pushed = github_claims(repository_id="456789", event_name="push", **claims)
        return self.issuer.token(pushed, audience=AUDIENCE)

    def _line(self, words: str) -> str | None:
        return next((each for each in self.said if words in each), None)

    def _event(self, decision_id: str) -> dict[str, Any] | None:
        return next((each for each in self.audit if each["id"] == decision_id), None)

    def _reads_audit(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with self._more:
                self.audit.append(json.loads(line))
                self._more.notify_all()

    def _reads_log(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        for line in process.stderr:
            with self._more:
                self.said.append(line)
                self._more.notify_all()


@pytest.fixture
def author(tmp_path: Path) -> Iterator[Author]:
    issuer = FakeIssuer("http://127.0.0.1:0/github")
    with issuer.serve():
        catalogue = CATALOGUE.replace("ISSUER", issuer.url).replace("AUDIENCE", AUDIENCE)
        (tmp_path / "policies").mkdir()
        (tmp_path / "policies" / "catalogue.yaml").write_text(catalogue)
        yield Author(tmp_path, issuer)


def ask(url: str, endpoint: str, token: str) -> httpx.Response:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "subject_token": token,
        "audience": "deploy-api",
        "scope": "deploy:write",
    }
    with httpx.Client(trust_env=False, timeout=60) as http:
        return http.post(f"{url}/oauth/{endpoint}", data=form)


def test_from_the_first_draft_to_the_fix_in_force(author: Author) -> None:
    # The editor underlines what the schema does not know.
    schema = json.loads(author.runs("policies", "schema").stdout)
    underlined = Draft202012Validator(schema).iter_errors(yaml.safe_load(DRAFT))
    assert any("service-account" in error.message for error in underlined)
    author.writes(DRAFT)
    answer = author.runs("policies", "check")
    assert answer.returncode == 2
    assert "policies/web.yaml:3:5: " in answer.stdout
    assert "`service_account`?" in answer.stdout

    # It loads now, but is too open: the finding says where and what to write.
    author.writes(SECOND)
    assert not list(Draft202012Validator(schema).iter_errors(yaml.safe_load(SECOND)))
    answer = author.runs("policies", "check")
    assert answer.returncode == 1
    assert "policies/web.yaml:7:12: error[any-ref]" in answer.stdout
    page = ROOT / "docs" / "lints" / "any-ref.md"
    assert f"docs/lints/{page.name}" in answer.stdout
    assert page.is_file()

    # Mended, and tested.
    author.writes(ONLY_MAIN)
    assert author.runs("policies", "check").returncode == 0
    assert author.runs("policies", "test").returncode == 0

    with ExitStack() as stack:
        process = author.serves(stack)
        url = "http://" + json.loads(author.waits_for('"serving"'))["listen"]

        # A job of the release branch is refused, and told what of it did not fit.
        refused = ask(url, "token", author.job_token(ref="refs/heads/release-2"))
        assert refused.status_code == 400, refused.text
        assert refused.json()["reason"] == "no_policy_matched"
        (condition,) = refused.json()["conditions"]
        assert (condition["claim"], condition["got"]) == ("ref", "refs/heads/release-2")

        # The pipeline asks for more words.
        explained = ask(url, "explain", author.job_token(ref="refs/heads/release-2")).json()
        assert (explained["decision"], explained["reason"]) == ("deny", "no_policy_matched")
        assert "refs/heads/release-2" in explained["fix"]

        # The operator sees the same in the words of a terminal, from what the audit recorded.
        event = author.event(refused.json()["decision_id"])
        (author.folder / "claims.json").write_text(json.dumps(event["claims"]))
        told = author.runs(
            *("policies", "explain", "--claims", "claims.json", "--issuer", event["issuer"]),
            *("--audience", "deploy-api", "--scope", "deploy:write"),
        )
        assert told.returncode == 1, told.stderr
        assert told.stdout.startswith("deny: no_policy_matched\n")
        assert "✗ ref: expected refs/heads/main, got refs/heads/release-2" in told.stdout
        assert "fix: add refs/heads/release-2 to `ref` of policy web" in told.stdout

        # The fix, tried before it is in force, then reloaded.
        author.writes(WITH_RELEASES)
        assert author.runs("policies", "check").returncode == 0
        assert author.runs("policies", "test").returncode == 0
        process.send_signal(signal.SIGHUP)
        author.waits_for("is in force")

        granted = ask(url, "token", author.job_token(ref="refs/heads/release-2"))
        assert granted.status_code == 200, granted.text
        assert granted.json()["scope"] == "deploy:write"
        assert "policy.reloaded" in {each["type"] for each in author.audit}
        process.terminate()
        assert process.wait(timeout=60) == 0
