"""Running the jobs of workflows that stand in pages: the action under Node, `run` by a shell."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.action_steps import node
from tests.docs.markdown import ROOT
from tests.github_runner import GithubRunner

_OUTPUT = re.compile(r"\$\{\{ steps\.([\w-]+)\.outputs\.([\w-]+) \}\}")
_ACTION = re.compile(r"acme/ci-token-broker/actions/(\w+)@[0-9a-f]{40}")


@dataclass
class JobRun:
    """How a job went: the outputs of its steps by their ids, and what was printed."""

    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    log: str = ""
    passed: bool = True


def run_job(job: Mapping[str, Any], runner: GithubRunner, places: Mapping[str, str]) -> JobRun:
    """Run the steps of a job one after the other, until one fails; then what ends its actions.

    `places` maps what stands in the page to where it is in the test, as a broker's URL. A job
    without `id-token: write` gets no ID token, as on GitHub.
    """
    run = JobRun()
    variables = runner.variables()
    if job.get("permissions", {}).get("id-token") != "write":
        variables = {name: value for name, value in variables.items() if "ID_TOKEN" not in name}
    used: list[tuple[Path, dict[str, str]]] = []
    for step in job["steps"]:
        runner.output_file.write_text("")
        own = {name: _filled(value, run, places) for name, value in step.get("env", {}).items()}
        if "uses" in step:
            own |= _inputs(step, run, places)
            used.append((_action(step), own))
            command = [node(), str(used[-1][0] / "main.mjs")]
        else:
            command = ["bash", "-e", "-c", _filled(step["run"], run, places)]
        run.passed = _run(command, runner, variables | own, run)
        if not run.passed:
            break
        if "id" in step:
            run.outputs[step["id"]] = runner.outputs()
    for action, own in reversed(used):
        if (action / "post.mjs").exists():
            _run([node(), str(action / "post.mjs")], runner, variables | own | runner.state(), run)
    return run


def _run(
    command: list[str], runner: GithubRunner, variables: Mapping[str, str], run: JobRun
) -> bool:
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], **variables},
        cwd=runner.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # Each step begins a line of the log.
    run.log += f"{done.stdout}{done.stderr}\n"
    return done.returncode == 0


def _action(step: Mapping[str, Any]) -> Path:
    named = _ACTION.fullmatch(step["uses"])
    assert named, step["uses"]
    return ROOT / "actions" / named[1]


def _inputs(step: Mapping[str, Any], run: JobRun, places: Mapping[str, str]) -> dict[str, str]:
    given = step.get("with", {})
    return {f"INPUT_{name.upper()}": _filled(given[name], run, places) for name in given}


def _filled(text: str, run: JobRun, places: Mapping[str, str]) -> str:
    for place, real in places.items():
        text = text.replace(place, real)
    return _OUTPUT.sub(lambda found: run.outputs[found[1]][found[2]], text)
