"""`broker policies test`: run the tests in the files."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli.common_options import AsJson, Config
from broker.cli.endings import server_extra
from broker.cli.policies.loading import Paths, load_sets
from broker.cli.terminal import ascii_only, show, signed

if TYPE_CHECKING:
    from broker.core.policy import Policy
    from broker.policy_files import PolicyTestResult
    from broker.policy_files.coverage import Coverage


def run_tests(
    *,
    paths: Paths = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also name the tests that hold.")
    ] = False,
    observed: Annotated[
        bool,
        typer.Option(
            "--observed", help="Run them as if policies with `mode: observe` were enforced."
        ),
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Run the `tests` in the files: exit 1 when one fails, 2 when the files do not load."""
    with server_extra("policies test"):
        from broker.core.indexed_policies import IndexedPolicies
        from broker.core.simulation.observations import observed_counted
        from broker.policy_files import run
        from broker.policy_files.coverage import coverage

        sets = load_sets(paths, config)
    if observed:
        sets = tuple(replace(each, policy_set=observed_counted(each.policy_set)) for each in sets)
    now = time.time()
    results: dict[tuple[str, int, int], PolicyTestResult] = {}
    for loaded in sets:
        for result in run(loaded, now):
            at = (result.test.file, result.test.line, result.test.column)
            # A test must hold in each set that has it, with and without `dev/`.
            if at not in results or results[at].holds:
                results[at] = result
    covered = coverage(results.values(), IndexedPolicies.of(sets[-1].policy_set), now)
    ordered = [result for _, result in sorted(results.items(), key=lambda entry: entry[0])]
    failed = [result for result in ordered if not result.holds]
    if as_json:
        typer.echo(json.dumps(_as_json(ordered, failed, covered)))
    else:
        shown = ordered if verbose else failed
        show(signed("".join(f"{line}\n" for line in _lines(shown, ordered, failed, covered))))
    raise typer.Exit(1 if failed else 0)


def _as_json(
    results: Iterable["PolicyTestResult"],
    failed: Sequence["PolicyTestResult"],
    covered: "Coverage",
) -> dict[str, Any]:
    return {
        "tests": [
            {
                "name": result.test.name,
                "place": result.test.place,
                "holds": result.holds,
                "lapsed": result.lapsed,
                "fault": result.fault,
            }
            for result in results
        ],
        "failed": len(failed),
        "coverage": {
            "policies": [policy.name for policy in covered.policies],
            "never_permits": [policy.name for policy in covered.never_permits],
            "never_denies": [policy.name for policy in covered.never_denies],
        },
    }


def _lines(
    shown: Iterable["PolicyTestResult"],
    results: Sequence["PolicyTestResult"],
    failed: Sequence["PolicyTestResult"],
    covered: "Coverage",
) -> Iterator[str]:
    from broker.core.condition_text import shown as printable

    holds, fails = ("[ok]", "[no]") if ascii_only() else ("✓", "✗")
    for result in shown:
        mark = holds if result.holds else fails
        yield f"{mark} {result.test.place}: {printable(result.test.name)}"
        if not result.holds:
            yield f"    {result.fault}"
        if result.lapsed:
            yield "    only because something has expired or is switched off; the set still loads"
    if not results:
        yield "There are no tests in these files."
    elif failed:
        yield f"{fails} {len(failed)} of {_tests(len(results))} failed."
    else:
        yield f"{holds} {_tests(len(results))} held."
    if covered.never_permits:
        yield f"No test is permitted by: {_names(covered.never_permits)}."
    if covered.never_denies:
        yield f"No test that comes near is denied by: {_names(covered.never_denies)}."
    if covered.policies and not (covered.never_permits or covered.never_denies):
        yield "Each allow policy permits one of them and denies one that comes near."


def _tests(number: int) -> str:
    return f"{number} test" if number == 1 else f"{number} tests"


def _names(policies: Iterable["Policy"]) -> str:
    return ", ".join(policy.name for policy in policies)
