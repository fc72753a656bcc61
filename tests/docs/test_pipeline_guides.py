"""The curl steps of the guides, run by a shell against a running broker and a real service."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from broker.testing import github_claims, gitlab_claims
from tests.docs.markdown import Page
from tests.docs.policies_in_pages import holds_policies
from tests.github_runner import REQUEST_TOKEN, GithubRunner
from tests.protected_service import protected_service
from tests.running_broker import AUDIENCE, OCTO_REPO, RunningBroker

GITHUB = Page("docs/guides/github-actions.md")
GITLAB = Page("docs/guides/gitlab-ci.md")
Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def today_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Run a broker at the time that the service's own clock shows."""
    folder = tmp_path_factory.mktemp("broker")
    with RunningBroker(folder, now=time.time()).serving() as broker:
        yield broker


@pytest.fixture(scope="module")
def deploy_api(today_broker: RunningBroker) -> Iterator[str]:
    """The example's protected service, which accepts the broker's tokens and nothing else."""
    with protected_service(today_broker.url) as url:
        yield url


@pytest.fixture
def shell(today_broker: RunningBroker, deploy_api: str, tmp_path: Path) -> Shell:
    """Run a script as a job does, with a curl that notes what stands on its command line."""
    curl = shutil.which("curl")
    assert curl, "curl is missing: the guides' steps need it"
    noting = tmp_path / "bin" / "curl"
    noting.parent.mkdir()
    noting.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >>"{tmp_path}/arguments"\nexec {curl} "$@"\n'
    )
    noting.chmod(0o755)

    def run(name: str, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [name, "-e", "-c", script],
            env={
                "PATH": f"{noting.parent}:{os.environ['PATH']}",
                "BROKER": today_broker.url,
                "DEPLOY_API": deploy_api,
                **variables,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def on_command_lines(folder: Path) -> str:
    return (folder / "arguments").read_text()


# --- GitHub ---------------------------------------------------------------------------------------


@pytest.fixture
def claims() -> dict[str, Any]:
    """What the job's ID tokens claim beside the usual; a test may change it."""
    return {}


@pytest.fixture
def runner(
    today_broker: RunningBroker, claims: dict[str, Any], tmp_path: Path
) -> Iterator[GithubRunner]:
    def mint(audience: str) -> str:
        # The policies of the tests' broker expect another audience than its URL.
        assert audience == today_broker.url
        facts: dict[str, Any] = {**OCTO_REPO, **claims}
        return today_broker.github.token(github_claims(**facts), audience=AUDIENCE)

    with GithubRunner(tmp_path, mint).serving() as serving:
        yield serving


def github_steps() -> list[str]:
    (workflow,) = [
        yaml.safe_load(block.text) for block in GITHUB.blocks("yaml") if not holds_policies(block)
    ]
    (job,) = workflow["jobs"].values()
    return [step["run"] for step in job["steps"]]


def test_a_github_job_deploys(shell: Shell, runner: GithubRunner, tmp_path: Path) -> None:
    get_token, deploy = github_steps()

    first = shell("bash", get_token, **runner.variables())
    assert (first.returncode, first.stderr) == (0, ""), first.stdout
    token = runner.outputs()["token"]
    second = shell("bash", deploy, TOKEN=token)

    assert second.stdout == '{"deployment": "started", "by": "deploy-web"}'
    assert first.stdout.splitlines() == [
        f"::add-mask::{runner.minted[0]}",
        f"::add-mask::{token}",
    ]
    secrets = (runner.minted[0], token, REQUEST_TOKEN)
    assert not any(secret in on_command_lines(tmp_path) for secret in secrets)


def test_a_refused_github_job_says_why_and_prints_no_command_of_a_stranger(
    shell: Shell, runner: GithubRunner, claims: dict[str, Any]
) -> None:
    claims["ref"] = "refs/heads/x%0A::add-mask::y"
    get_token, _ = github_steps()

    done = shell("bash", get_token, **runner.variables())

    assert done.returncode == 1
    masked, error = done.stdout.splitlines()
    assert masked == f"::add-mask::{runner.minted[0]}"
    assert error.startswith('::error::{"error":"invalid_request"')
    assert '"reason":"no_policy_matched"' in error
    assert "x%250A::add-mask::y" in error
    assert runner.outputs() == {}


def test_a_github_job_shows_no_token_whose_answer_was_written_anew(
    shell: Shell, runner: GithubRunner
) -> None:
    get_token, _ = github_steps()

    class SpacedOut(BaseHTTPRequestHandler):
        """A proxy that writes JSON in a form of its own."""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{\n  "access_token" : "e30.c2VjcmV0.c2ln",\n  "scope": ""\n}\n')

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with HTTPServer(("127.0.0.1", 0), SpacedOut) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        url = f"http://127.0.0.1:{server.server_port}"
        minting = GithubRunner(runner.folder, lambda _: "e30.e30.c2ln")
        try:
            with minting.serving():
                done = shell("bash", get_token, BROKER=url, **minting.variables())
        finally:
            server.shutdown()
            serving.join()

    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "::add-mask::e30.c2VjcmV0.c2ln"
    assert minting.outputs()["token"] == "e30.c2VjcmV0.c2ln"


def test_a_github_job_without_the_permission_says_so(shell: Shell, runner: GithubRunner) -> None:
    variables = runner.variables()
    del variables["ACTIONS_ID_TOKEN_REQUEST_URL"]

    done = shell("bash", github_steps()[0], **variables)

    assert done.returncode == 1
    assert done.stdout.startswith("::error::This job needs 'permissions: id-token: write'")


def test_a_github_job_whose_request_is_refused_says_so(shell: Shell, runner: GithubRunner) -> None:
    variables = runner.variables() | {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "another"}

    done = shell("bash", github_steps()[0], **variables)

    assert (done.returncode, done.stdout) == (1, "::error::GitHub gave no ID token.\n")


# --- GitLab ---------------------------------------------------------------------------------------


def gitlab_script() -> str:
    (pipeline,) = [
        yaml.safe_load(block.text)
        for block in GITLAB.blocks("yaml")
        if block.text in GITLAB.section("With curl")
    ]
    return "\n".join(pipeline["deploy"]["script"])


def gitlab_token(broker: RunningBroker, **claims: Any) -> str:
    return broker.gitlab.token(gitlab_claims(**claims), audience=AUDIENCE)


@pytest.mark.parametrize("name", ["bash", "sh"])
def test_a_gitlab_job_deploys(
    today_broker: RunningBroker, shell: Shell, name: str, tmp_path: Path
) -> None:
    id_token = gitlab_token(today_broker)

    done = shell(name, gitlab_script(), BROKER_ID_TOKEN=id_token)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout == '{"deployment": "started", "by": "deploy-web"}'
    arguments = on_command_lines(tmp_path)
    assert id_token not in arguments
    assert "Bearer" not in arguments


@pytest.mark.parametrize("name", ["bash", "sh"])
def test_a_refused_gitlab_job_fails_and_says_why(
    today_broker: RunningBroker, shell: Shell, name: str
) -> None:
    id_token = gitlab_token(today_broker, ref="feature", ref_protected="false")

    done = shell(name, gitlab_script(), BROKER_ID_TOKEN=id_token)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("refused: {")
    assert '"reason":"no_policy_matched"' in done.stderr
    assert id_token not in done.stderr


def test_a_gitlab_job_without_an_id_token_fails_and_says_why(shell: Shell) -> None:
    done = shell("sh", gitlab_script())

    assert done.returncode == 1
    assert '"reason":"malformed_request"' in done.stderr
    assert "subject_token" in done.stderr
