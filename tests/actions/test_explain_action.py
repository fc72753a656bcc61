"""actions/explain under Node, against a whole broker."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.action_steps import EXPLAIN, Step, error_of, minting, run_step
from tests.github_runner import GithubRunner
from tests.running_broker import AUDIENCE, RunningBroker


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
def explain(live_broker: RunningBroker, runner: GithubRunner) -> Step:
    def run(**inputs: str) -> Any:
        usual = {"broker-url": live_broker.url, "service": "deploy-api", "audience": AUDIENCE}
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        return run_step(runner, usual | given, EXPLAIN)

    return run


def test_a_job_is_told_that_it_would_get_a_token_and_gets_none(
    live_broker: RunningBroker, runner: GithubRunner, explain: Step
) -> None:
    done = explain()

    assert done.returncode == 0, done.stdout
    decision_id = runner.outputs()["decision-id"]
    (event,) = [each for each in live_broker.events() if each["id"] == decision_id]
    assert event["type"] == "token.explained"
    assert runner.outputs() == {
        "decision": "permit",
        "reason": "",
        "decision-id": event["id"],
        "service-account": "deploy-web",
        "scope": "deploy:read deploy:write",
        "available": "true",
        "request-id": event["request_id"],
    }
    assert "as deploy-web:" in done.stdout
    assert "repository: octo-org/octo-repo" in done.stdout


def test_a_job_is_told_why_it_would_not_and_what_would_help(
    runner: GithubRunner, claims: dict[str, Any], explain: Step
) -> None:
    claims["ref"] = "refs/heads/feature"

    done = explain()

    assert done.returncode == 0, done.stdout
    assert runner.outputs()["decision"] == "deny"
    assert runner.outputs()["reason"] == "no_policy_matched"
    told = done.stdout.replace("%0A", "\n")
    assert '\n- ref: equals "refs/heads/main", got "refs/heads/feature"\n' in told
    assert "\nfix: " in told
    assert "refs/heads/feature" in runner.summary()


def test_a_denial_is_red_where_that_is_asked_for(claims: dict[str, Any], explain: Step) -> None:
    claims["ref"] = "refs/heads/feature"

    assert "no_policy_matched" in error_of(explain(fail_on_deny="true"))


def test_a_token_that_does_not_verify_is_a_denial(runner: GithubRunner, explain: Step) -> None:
    done = explain(audience="https://elsewhere.example")

    assert done.returncode == 0, done.stdout
    assert runner.outputs()["decision"] == "deny"
    assert runner.outputs()["reason"] == "audience_mismatch"


def test_a_broker_that_is_not_there_could_not_be_asked(explain: Step) -> None:
    error = error_of(explain(broker_url="http://127.0.0.1:1", retry_max_time="1s"))

    assert error.startswith("::error title=No answer::")
