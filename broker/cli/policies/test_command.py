"""`broker policies test`: run the tests in the files."""

import json
import time
from typing import Annotated

import typer

from broker.cli.endings import server_extra
from broker.cli.policies.loading import Config, Paths, load_sets


def run_tests(
    paths: Paths = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run the `tests` in the files: exit 1 when one fails, 2 when the files do not load."""
    with server_extra("policies test"):
        from broker.policy_files.run_tests import run

        sets = load_sets(paths, config)
    now = time.time()
    results = {result.test.place: result for loaded in sets for result in run(loaded, now)}
    failed = [result for result in results.values() if not result.holds]
    if as_json:
        tests = [
            {"name": each.test.name, "place": each.test.place, "holds": each.holds}
            for each in results.values()
        ]
        typer.echo(json.dumps({"tests": tests, "failed": len(failed)}))
    else:
        for each in failed:
            typer.echo(f"{each.test.place}: {each.test.name}: {each.fault}")
        typer.echo(f"{len(results)} tests, {len(failed)} failed")
    raise typer.Exit(1 if failed else 0)
