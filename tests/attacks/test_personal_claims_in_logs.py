"""Row 176: e-mail addresses and names of people in logs and summaries that everybody can read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.action_steps import EXPLAIN, MAIN, minting, run_step
from tests.github_runner import GithubRunner
from tests.running_broker import AUDIENCE, RunningBroker

PEOPLE = {
    "actor": "mona-lisa",
    "actor_id": "7731001",
    "triggering_actor": "la-gioconda",
    "user_email": "mona-lisa@example.com",
    "contact": "la-gioconda@example.com",
}


@pytest.fixture
def runner(live_broker: RunningBroker, tmp_path: Path) -> Iterator[GithubRunner]:
    claims = {**PEOPLE, "ref": "refs/heads/feature"}
    with GithubRunner(tmp_path, minting(live_broker, claims)).serving() as serving:
        yield serving


@pytest.mark.parametrize("file", [MAIN, EXPLAIN], ids=["token", "explain"])
def test_a_refusal_shows_no_person(
    live_broker: RunningBroker, runner: GithubRunner, file: Path
) -> None:
    inputs = {"broker-url": live_broker.url, "service": "deploy-api", "audience": AUDIENCE}

    done = run_step(runner, inputs, file, RUNNER_DEBUG="1", GITHUB_ACTOR="mona-lisa")

    assert runner.outputs()["reason"] == "no_policy_matched"
    assert "refs/heads/feature" in done.stdout
    assert "refs/heads/feature" in runner.summary()
    for person in PEOPLE.values():
        assert person not in done.stdout + done.stderr + runner.summary()
