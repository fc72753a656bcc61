"""The checkers of workflows and pipelines, run on one file; they need no network."""

import subprocess
import sys
from pathlib import Path


def check_schema(schema: str, *files: Path) -> None:
    """Assert that files fit a schema that check-jsonschema brings, as `vendor.gitlab-ci`."""
    # `!reference` is GitLab's alone.
    kind = ["--data-transform", "gitlab-ci"] if schema == "vendor.gitlab-ci" else []
    paths = [str(file) for file in files]
    _run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *kind, *paths)


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
