"""The steps of actions/policy-check, as a runner starts them, with the broker of this checkout."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.docs.markdown import ROOT

ACTION = ROOT / "actions/policy-check"


def installed(runner_temp: Path) -> None:
    """Leave what the first step leaves: a Python with the broker, here that of the tests."""
    program = runner_temp / "broker-policy-check/bin/python"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    (runner_temp / "broker-policy-check/.complete").write_text(f"{ROOT}\n")


def run_steps(
    workspace: Path,
    runner_temp: Path,
    variables_of_the_job: Mapping[str, str] | None = None,
    **inputs: str,
) -> subprocess.CompletedProcess[str]:
    """Run the steps in the workspace until one fails; give the last that ran."""
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    given = {name: each.get("default", "") for name, each in action["inputs"].items()} | inputs
    done = None
    for step in action["runs"]["steps"]:
        variables = {
            name: given[value.removeprefix("${{ inputs.").removesuffix(" }}")]
            for name, value in step["env"].items()
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=workspace,
            env={
                "PATH": os.environ["PATH"],
                "GITHUB_ACTION_PATH": str(ACTION),
                "GITHUB_OUTPUT": str(runner_temp / "output"),
                "GITHUB_STEP_SUMMARY": str(runner_temp / "summary"),
                "RUNNER_TEMP": str(runner_temp),
                **(variables_of_the_job or {}),
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            break
    assert done is not None
    return done


def outputs(runner_temp: Path) -> dict[str, str]:
    """Read the outputs of the last step."""
    written = (runner_temp / "output").read_text().splitlines()
    return dict(line.split("=", 1) for line in written)
