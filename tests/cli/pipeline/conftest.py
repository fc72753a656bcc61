"""A job in a pipeline: the real command, a broker that is as late as the machine's clock."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from broker.testing import github_claims
from tests.consumers.conftest import BROKER, Job
from tests.github_runner import GithubRunner
from tests.running_broker import OCTO_REPO, RunningBroker

Started = subprocess.Popen[str]
Start = Callable[..., AbstractContextManager[Started]]


@pytest.fixture
def job(today_broker: RunningBroker, tmp_path: Path) -> Job:
    """A job of GitLab: one ID token for as long as it runs."""
    for name in ("builds", "home"):
        (tmp_path / name).mkdir()
    (tmp_path / "builds/web").mkdir()
    variables = {
        "PATH": f"{BROKER.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "GITLAB_CI": "true",
        "CI_PROJECT_DIR": str(tmp_path / "builds/web"),
        "BROKER_URL": today_broker.url,
        "BROKER_ID_TOKEN": today_broker.gitlab_token(),
    }
    return Job(tmp_path / "builds/web", today_broker, variables)


@pytest.fixture
def github_job(job: Job, tmp_path: Path) -> Iterator[tuple[Job, GithubRunner]]:
    """A job of GitHub Actions, and its runner."""
    (tmp_path / "runner").mkdir()
    broker = job.broker
    claims: dict[str, Any] = {**OCTO_REPO}

    def mint(audience: str) -> str:
        return broker.github.token(github_claims(**claims), audience=audience)

    with GithubRunner(tmp_path, mint).serving() as runner:
        common = {name: job.variables[name] for name in ("PATH", "HOME", "BROKER_URL")}
        variables = {**common, **runner.variables(), "RUNNER_TEMP": str(tmp_path / "runner")}
        yield Job(job.folder, broker, variables), runner


@pytest.fixture
def start(job: Job) -> Start:
    """Start a command of the job, to be ended by the test."""

    @contextmanager
    def started(*words: str, **variables: str) -> Iterator[Started]:
        with subprocess.Popen(
            words,
            env={**job.variables, **variables},
            cwd=job.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    return started


def wait_for(found: Callable[[], object]) -> None:
    """Wait until something holds."""
    for _ in range(3000):
        if found():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come about")
