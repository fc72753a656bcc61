"""The component's templates: their inputs, and their scripts as a job has them."""

from pathlib import Path
from typing import Any

import yaml

from tests.running_broker import AUDIENCE

TEMPLATES = Path(__file__).parents[2] / "actions/gitlab/templates"


def template_text(name: str) -> str:
    """Give a template as it stands in the project."""
    return (TEMPLATES / f"{name}.yml").read_text()


def inputs_of(name: str) -> dict[str, dict[str, Any]]:
    """Give what a template's `spec` says of each input."""
    head, _ = yaml.safe_load_all(template_text(name))
    inputs: dict[str, dict[str, Any]] = head["spec"]["inputs"]
    return inputs


def job_of(name: str, **inputs: str) -> dict[str, Any]:
    """Give the only job of a template with the inputs in their places, as GitLab puts them there.

    For deploy-api of the broker at `broker_url` unless the inputs say otherwise.
    """
    defaults = {each: said.get("default", "") for each, said in inputs_of(name).items()}
    usual = {"service": "deploy-api", "audience": AUDIENCE}
    given = {each.replace("_", "-"): value for each, value in inputs.items()}
    text = template_text(name).partition("\n---\n")[2]
    for each, value in (defaults | usual | given).items():
        text = text.replace(f"$[[ inputs.{each} ]]", value)
    assert "$[[" not in text
    (job,) = yaml.safe_load(text).values()
    found: dict[str, Any] = job
    return found
