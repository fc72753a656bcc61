"""actions/token under Node, against a whole broker: real tokens, real HTTP, real policies."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest

from broker.testing import github_claims
from tests.github_runner import REQUEST_TOKEN, GithubRunner
from tests.issuer_keys.certificates import make_authority
from tests.running_broker import AUDIENCE, OCTO_REPO, POLICIES, RunningBroker
from tests.service_tokens import verified_token

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "actions/token/main.mjs"
Step = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def claims() -> dict[str, Any]:
    """What the job's ID tokens claim beside the usual; a test may change it."""
    return {}


@pytest.fixture
def runner(
    live_broker: RunningBroker, claims: dict[str, Any], tmp_path: Path
) -> Iterator[GithubRunner]:
    with GithubRunner(tmp_path, minting(live_broker, claims)).serving() as serving:
        yield serving


@pytest.fixture
def step(live_broker: RunningBroker, runner: GithubRunner) -> Step:
    """The step as a workflow writes it, for deploy-api unless the inputs say otherwise."""

    def run(**inputs: str) -> subprocess.CompletedProcess[str]:
        usual = {"broker-url": live_broker.url, "service": "deploy-api", "audience": AUDIENCE}
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        return run_step(runner, usual | given)

    return run


def minting(broker: RunningBroker, claims: dict[str, Any]) -> Callable[[str], str]:
    """Mint ID tokens of octo-org/octo-repo for whatever audience a job asks for."""

    def mint(audience: str) -> str:
        facts: dict[str, Any] = {**OCTO_REPO, **claims}
        return broker.github.token(github_claims(**facts), audience=audience)

    return mint


def run_step(runner: GithubRunner, inputs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the action; no secret may show in what it prints but where it is being masked."""
    done = subprocess.run(
        [node(), str(MAIN)],
        env={
            "PATH": os.environ["PATH"],
            **runner.variables(),
            **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    secrets = [*runner.minted, REQUEST_TOKEN, runner.outputs().get("token", REQUEST_TOKEN)]
    for line in (done.stdout + done.stderr).splitlines():
        assert line.startswith("::add-mask::") or not any(each in line for each in secrets)
    return done


def node() -> str:
    found = shutil.which("node", path=f"{ROOT / '.venv/bin'}:{os.environ['PATH']}")
    assert found, "node is missing: `make test` sets it up"
    return found


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """Give the only error that a failed step shows, as a runner would show it."""
    assert done.returncode == 1, done.stdout
    assert done.stderr == ""
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("::error ")]
    return line.replace("%0A", "\n").replace("%25", "%")


def test_a_job_gets_a_service_token(
    live_broker: RunningBroker, runner: GithubRunner, step: Step
) -> None:
    before = time.time()
    done = step(scope="deploy:write", service_account="deploy-web", ttl="5m")

    assert done.returncode == 0, done.stdout
    outputs = runner.outputs()
    claims = verified_token(live_broker, outputs["token"])
    assert claims["scope"] == "deploy:write"
    assert claims["exp"] - claims["iat"] == 300
    assert outputs == {
        "token": outputs["token"],
        "expires-at": outputs["expires-at"],
        "service-account": "deploy-web",
        "token-id": claims["jti"],
    }
    assert 0 < datetime.fromisoformat(outputs["expires-at"]).timestamp() - before <= 305


def test_the_request_is_named_after_the_run_in_the_audit(
    live_broker: RunningBroker, runner: GithubRunner, step: Step
) -> None:
    step()

    token_id = runner.outputs()["token-id"]
    (event,) = [each for each in live_broker.events() if each["token_id"] == token_id]
    assert event["request_id"].startswith("37824901043-1-")


def test_a_refusal_is_told_with_what_the_operator_needs(
    live_broker: RunningBroker, claims: dict[str, Any], step: Step
) -> None:
    claims |= {"ref": "refs/heads/%0A::add-mask::x", "event_name": "pull_request"}

    error = error_of(step())

    event = live_broker.events()[-1]
    assert error.startswith("::error title=Refused%3A no_policy_matched::")
    assert f"decision_id: {event['id']}" in error
    assert f"request id:  {event['request_id']}" in error
    assert "ref 'refs/heads/%0A::add-mask::x'" in error
    assert '- ref: equals "refs/heads/main", got "refs/heads/%0A::add-mask::x"' in error


def test_a_wrong_scope_is_refused_and_not_narrowed(step: Step) -> None:
    error = error_of(step(scope="deploy:write deploy:everything"))

    assert "reason:      scope_not_allowed" in error
    assert "'deploy:everything'" in error


def test_without_an_audience_the_broker_is_asked_which_it_accepts(step: Step) -> None:
    # This broker's policies name another audience than its issuer.
    error = error_of(step(audience=""))

    assert f"accepts ID tokens for: {AUDIENCE}" in error


def test_the_default_audience_is_the_issuer(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    policies = POLICIES.replace(" audiences: [{audience}],", "")
    with (
        RunningBroker(tmp_path_factory.mktemp("broker"), policies).serving() as broker,
        GithubRunner(tmp_path, minting(broker, {})).serving() as runner,
    ):
        done = run_step(runner, {"broker-url": broker.url, "service": "deploy-api"})

        assert done.returncode == 0, done.stdout
        (minted,) = runner.minted
        assert jwt.decode(minted, options={"verify_signature": False})["aud"] == broker.url


def test_a_certificate_of_an_unknown_authority_is_not_tried_again(
    tmp_path: Path, step: Step
) -> None:
    accepted: list[int] = []

    class Listener(ThreadingHTTPServer):
        def get_request(self) -> Any:
            connection, address = super().get_request()
            accepted.append(1)
            return connection, address

        def handle_error(self, *_: object) -> None:
            """Expect the handshake to fail."""

    with Listener(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        context = make_authority(tmp_path / "authority").server
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            error = error_of(step(broker_url=f"https://127.0.0.1:{server.server_port}"))
        finally:
            server.shutdown()
            thread.join()

    assert "NODE_EXTRA_CA_CERTS" in error
    assert len(accepted) == 1
