"""`broker policies schema`: the JSON Schema of the policy files, for editors."""

import json
from typing import Annotated

import typer

from broker.cli.endings import server_extra


def schema(
    _as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as always.")] = False,
) -> None:
    """Print the JSON Schema (2020-12) of the policy files, for editors."""
    with server_extra("policies schema"):
        from broker.policy_files.schema import policy_schema

    typer.echo(json.dumps(policy_schema(), indent=2))
