"""Running the jobs of workflows that stand in pages: the action under Node, `run` by a shell."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    """Run the steps of a job one after the other, until one fails.

    `places` maps what stands in the page to where it is in the test, as a broker's URL. A job
    without `id-token: write` gets no ID token, as on GitHub.
    """
    run = JobRun()
    granted = runner.variables()
    if job.get("permissions", {}).get("id-token") != "write":
        granted = {name: value for name, value in granted.items() if "ID_TOKEN" not in name}
    for step in job["steps"]:
        runner.output_file.write_text("")
        own = {name: _filled(value, run, places) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            _command(step, run, places),
            env={"PATH": os.environ["PATH"], **granted, **own, **_inputs(step, run, places)},
            cwd=runner.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        run.log += done.stdout + done.stderr
        if done.returncode != 0:
            run.passed = False
            break
        if "id" in step:
            run.outputs[step["id"]] = runner.outputs()
    return run


def _command(step: Mapping[str, Any], run: JobRun, places: Mapping[str, str]) -> list[str]:
    if "uses" not in step:
        return ["bash", "-e", "-c", _filled(step["run"], run, places)]
    used = _ACTION.fullmatch(step["uses"])
    assert used, step["uses"]
    node = shutil.which("node", path=f"{ROOT / '.venv/bin'}:{os.environ['PATH']}")
    assert node, "node is missing: `make test` sets it up"
    return [node, str(ROOT / "actions" / used[1] / "main.mjs")]


def _inputs(step: Mapping[str, Any], run: JobRun, places: Mapping[str, str]) -> dict[str, str]:
    given = step.get("with", {})
    return {f"INPUT_{name.upper()}": _filled(given[name], run, places) for name in given}


def _filled(text: str, run: JobRun, places: Mapping[str, str]) -> str:
    for place, real in places.items():
        text = text.replace(place, real)
    return _OUTPUT.sub(lambda found: run.outputs[found[1]][found[2]], text)
