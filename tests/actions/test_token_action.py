"""actions/token under Node, against a whole broker: real tokens, real HTTP, real policies."""

import stat
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest

from tests.action_steps import Step, end_step, error_of, minting, run_step
from tests.client_secrets import an_account, give
from tests.github_runner import GithubRunner
from tests.issuer_keys.certificates import make_authority
from tests.passing_on import behind_tls, connect_proxy
from tests.running_broker import AUDIENCE, POLICIES, RunningBroker
from tests.service_tokens import verified_token


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


def usual(broker: RunningBroker) -> dict[str, str]:
    return {"broker-url": broker.url, "service": "deploy-api", "audience": AUDIENCE}


def events_of(broker: RunningBroker, runner: GithubRunner) -> list[dict[str, Any]]:
    """Give the events about the token of a step."""
    token_id = runner.outputs()["token-id"]
    return [each for each in broker.events() if each["token_id"] == token_id]


def types_of(broker: RunningBroker, runner: GithubRunner) -> list[str]:
    return [each["type"] for each in events_of(broker, runner)]


@pytest.fixture
def step(live_broker: RunningBroker, runner: GithubRunner) -> Step:
    """The step as a workflow writes it, for deploy-api unless the inputs say otherwise."""

    def run(**inputs: str) -> Any:
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        return run_step(runner, usual(live_broker) | given)

    return run


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
        "expires-in": "300",
        "token-type": "Bearer",
        "token-id": claims["jti"],
        "service-account": "deploy-web",
        "service": "deploy-api",
        "scope": "deploy:write",
        "credentials-file": "",
        "available": "true",
        "request-id": outputs["request-id"],
        "reason": "",
        "decision-id": "",
    }
    assert 0 < datetime.fromisoformat(outputs["expires-at"]).timestamp() - before <= 305


def test_the_request_is_named_after_the_run_in_the_audit(
    live_broker: RunningBroker, runner: GithubRunner, step: Step
) -> None:
    step()

    (event,) = events_of(live_broker, runner)
    assert event["request_id"].startswith("37824901043-1-")
    assert event["request_id"] == runner.outputs()["request-id"]


def test_a_refusal_is_told_with_what_the_operator_needs(
    live_broker: RunningBroker, runner: GithubRunner, claims: dict[str, Any], step: Step
) -> None:
    claims |= {"ref": "refs/heads/%0A::add-mask::x", "event_name": "pull_request"}

    error = error_of(step())

    decision_id = runner.outputs()["decision-id"]
    (event,) = [each for each in live_broker.events() if each["id"] == decision_id]
    assert error.startswith("::error title=Refused%3A no_policy_matched::")
    assert f"decision_id: {event['id']}" in error
    assert f"request id:  {event['request_id']}" in error
    assert "ref 'refs/heads/%0A::add-mask::x'" in error
    assert '- ref: equals "refs/heads/main", got "refs/heads/%0A::add-mask::x"' in error
    assert (
        f"- sub: {jwt.decode(runner.minted[0], options={'verify_signature': False})['sub']}"
        in error
    )
    outputs = runner.outputs()
    assert outputs["reason"] == "no_policy_matched"
    assert outputs["request-id"] == event["request_id"]
    assert (outputs["token"], outputs["available"]) == ("", "false")
    # A refusal is asked for once.
    assert len(runner.minted) == 1


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

    assert "ca-certificate: /etc/ssl/company-ca.pem" in error
    assert len(accepted) == 1


# --- the end of the job ---------------------------------------------------------------------------


def test_the_token_is_revoked_when_the_job_ends(
    live_broker: RunningBroker, runner: GithubRunner, step: Step
) -> None:
    step()
    done = end_step(runner, usual(live_broker))

    assert (done.returncode, done.stderr) == (0, "")
    assert not any(line.startswith("::warning") for line in done.stdout.splitlines())
    assert types_of(live_broker, runner) == ["token.exchanged", "token.revoked"]
    assert events_of(live_broker, runner)[1]["request_id"].startswith("37824901043-1-")


def test_a_token_that_is_not_to_be_revoked_is_not(
    live_broker: RunningBroker, runner: GithubRunner, step: Step
) -> None:
    step(revoke="false")
    done = end_step(runner, usual(live_broker))

    assert (done.returncode, done.stdout) == (0, "")
    assert types_of(live_broker, runner) == ["token.exchanged"]


def test_a_file_is_for_its_user_alone_and_gone_with_the_job(
    live_broker: RunningBroker, runner: GithubRunner, step: Step
) -> None:
    step(format="curl-config")
    outputs = runner.outputs()
    file = Path(outputs["credentials-file"])
    assert file.read_text() == f'header = "Authorization: Bearer {outputs["token"]}"\n'
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    end_step(runner, usual(live_broker))

    assert list(runner.temp.iterdir()) == []


# --- other ways to a broker -----------------------------------------------------------------------


@pytest.mark.parametrize("given", ["path", "text", "text with the line ends of Windows"])
def test_an_authority_of_ones_own_is_trusted(
    live_broker: RunningBroker, runner: GithubRunner, step: Step, tmp_path: Path, given: str
) -> None:
    authority = make_authority(tmp_path / "authority")
    text = authority.ca_file.read_text()
    in_windows = text.replace("\n", "\r\n")
    certificate = {"path": str(authority.ca_file), "text": text}.get(given, in_windows)

    with behind_tls(live_broker.url, authority.server) as url:
        done = step(broker_url=url, ca_certificate=certificate)
        ended = end_step(runner, {"broker-url": url, "ca-certificate": certificate})

    assert done.returncode == 0, done.stdout
    assert runner.outputs()["service-account"] == "deploy-web"
    assert "::warning" not in ended.stdout
    assert types_of(live_broker, runner) == ["token.exchanged", "token.revoked"]


def test_a_runner_that_checks_no_certificates_is_not_followed(
    live_broker: RunningBroker, runner: GithubRunner, step: Step, tmp_path: Path
) -> None:
    authority = make_authority(tmp_path / "authority")
    with behind_tls(live_broker.url, authority.server) as url:
        inputs = usual(live_broker) | {"broker-url": url}
        refused = run_step(runner, inputs, NODE_TLS_REJECT_UNAUTHORIZED="0")
        trusted = inputs | {"ca-certificate": str(authority.ca_file)}
        done = run_step(runner, trusted, NODE_TLS_REJECT_UNAUTHORIZED="0")
        ended = end_step(runner, inputs, NODE_TLS_REJECT_UNAUTHORIZED="0")

    assert "ca-certificate: /etc/ssl/company-ca.pem" in error_of(refused)
    assert "NODE_TLS_REJECT_UNAUTHORIZED does not count here" in refused.stdout
    assert done.returncode == 0, done.stdout
    assert "could not be revoked" in ended.stdout
    assert types_of(live_broker, runner) == ["token.exchanged"]


def test_a_proxy_is_gone_through_to_a_broker_under_an_authority_of_ones_own(
    live_broker: RunningBroker, runner: GithubRunner, tmp_path: Path
) -> None:
    authority = make_authority(tmp_path / "authority")
    with behind_tls(live_broker.url, authority.server) as url, connect_proxy() as (proxy, asked):
        inputs = usual(live_broker) | {
            "broker-url": url,
            "ca-certificate": str(authority.ca_file),
        }
        done = run_step(runner, inputs, https_proxy=proxy)
        ended = end_step(runner, inputs, https_proxy=proxy)

    assert done.returncode == 0, done.stdout
    assert "::warning" not in ended.stdout
    assert asked == [urlsplit(url).netloc] * 2


def test_a_client_secret_buys_a_token_where_there_is_no_identity(
    own_broker: RunningBroker, runner: GithubRunner
) -> None:
    account = an_account()
    inputs = {
        "broker-url": own_broker.url,
        "service": "deploy-api",
        "scope": "deploy:read",
        "auth": "client-secret",
        "client-secret": give(own_broker, account),
        "service-account": account.client_id,
    }

    done = run_step(runner, inputs, ACTIONS_ID_TOKEN_REQUEST_URL="")
    wrong = run_step(runner, inputs | {"client-secret": "sa_live_" + "x" * 56})

    assert done.returncode == 0, done.stdout
    assert runner.minted == []
    assert "client_unknown_or_bad_secret" in error_of(wrong)
