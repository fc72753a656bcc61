"""Steps of the JavaScript actions: their real files under Node, as a runner starts them."""

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from broker.testing import github_claims
from tests.github_runner import REQUEST_TOKEN, GithubRunner
from tests.running_broker import OCTO_REPO, RunningBroker

ROOT = Path(__file__).parents[1]
MAIN = ROOT / "actions/token/main.mjs"
POST = ROOT / "actions/token/post.mjs"
EXPLAIN = ROOT / "actions/explain/main.mjs"

Step = Callable[..., subprocess.CompletedProcess[str]]


def minting(broker: RunningBroker, claims: dict[str, Any]) -> Callable[[str], str]:
    """Mint ID tokens of octo-org/octo-repo for whatever audience a job asks for."""

    def mint(audience: str) -> str:
        facts: dict[str, Any] = {**OCTO_REPO, **claims}
        return broker.github.token(github_claims(**facts), audience=audience)

    return mint


def environment(runner: GithubRunner, inputs: dict[str, str], **variables: str) -> dict[str, str]:
    """Give the variables of a step with these inputs."""
    return {
        "PATH": os.environ["PATH"],
        **runner.variables(),
        **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
        **variables,
    }


def run_step(
    runner: GithubRunner, inputs: dict[str, str], file: Path = MAIN, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a file of an action; no secret may show in what it tells but where it is being masked."""
    done = subprocess.run(
        [node(), str(file)],
        env=environment(runner, inputs, **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    kept = (
        *runner.minted,
        REQUEST_TOKEN,
        runner.outputs().get("token"),
        inputs.get("client-secret"),
    )
    secrets = [each for each in kept if each]
    for line in (done.stdout + done.stderr + runner.summary()).splitlines():
        assert line.startswith("::add-mask::") or not any(each in line for each in secrets)
    return done


def end_step(
    runner: GithubRunner, inputs: dict[str, str], **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run what a runner runs for a step when its job ends, with the state that it kept."""
    return run_step(runner, inputs, POST, **runner.state(), **variables)


@cache
def node() -> str:
    """Find Node, which `make test` sets up: the program itself, not the script that starts it."""
    found = shutil.which("node", path=f"{ROOT / '.venv/bin'}:{os.environ['PATH']}")
    assert found, "node is missing: `make test` sets it up"
    asked = [found, "--print", "process.execPath"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """Give the only error that a failed step shows, as a runner would show it."""
    assert done.returncode == 1, done.stdout
    assert done.stderr == ""
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("::error ")]
    return line.replace("%0A", "\n").replace("%25", "%")
