"""`broker policies schema`: printed alone, and good for the shipped files."""

import json
import subprocess
from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator

Broker = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_schema_is_printed_alone(broker: Broker, options: tuple[str, ...]) -> None:
    answer = broker("policies", "schema", *options)

    assert (answer.returncode, answer.stderr) == (0, "")
    Draft202012Validator.check_schema(json.loads(answer.stdout))
