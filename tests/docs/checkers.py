"""The checkers of workflows and pipelines, run on one file; they need no network."""

import subprocess
import sys
from pathlib import Path

import check_jsonschema
from click.testing import CliRunner


def check_schema(schema: str, *files: Path) -> None:
    """Assert that files fit a schema that check-jsonschema brings, as `vendor.gitlab-ci`."""
    # `!reference` is GitLab's alone.
    kind = ["--data-transform", "gitlab-ci"] if schema == "vendor.gitlab-ci" else []
    paths = [str(file) for file in files]
    # Within this process: to start another takes far longer than to check.
    done = CliRunner().invoke(check_jsonschema.main, ["--builtin-schema", schema, *kind, *paths])
    assert done.exit_code == 0, done.output


def check_weaknesses(folder: Path) -> None:
    """Assert that zizmor finds nothing in the workflows below a folder."""
    zizmor = Path(sys.executable).with_name("zizmor")
    assert zizmor.exists(), "zizmor is missing: `make test` sets it up"
    _run(str(zizmor), "--offline", "--no-progress", str(folder))


def write_workflow(folder: Path, text: str) -> Path:
    """Write a workflow where GitHub looks for it."""
    workflow = folder / ".github/workflows/deploy.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(text)
    return workflow


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
