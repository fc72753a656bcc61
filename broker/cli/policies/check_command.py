"""`broker policies check`: load and lint."""

import time
from typing import Annotated, Final, Literal

import typer

from broker.cli.common_options import Config
from broker.cli.endings import USAGE, server_extra
from broker.cli.policies.loading import Paths, read_sets

FINDINGS: Final = 1
"""The exit code when there is a finding at level error."""


def check(
    paths: Paths = None,
    config: Config = None,
    output: Annotated[
        Literal["text", "json", "sarif", "github"],
        typer.Option("--format", help="How to print findings; `github` makes annotations."),
    ] = "text",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Load the files and look for what lets in more, or does less, than it seems.

    Exit 0 when there is no finding at level error, 1 when there is one, 2 when the files do not
    load. A finding is accepted by a comment `# allow: CODE reason` on its line, or on the first
    line of the policy.
    """
    with server_extra("policies check"):
        from broker.cli.policies.check_output import write
        from broker.cli.policies.checked import Checked
        from broker.core.errors import ConfigurationError
        from broker.policy_files.check import check as lint_sets

        try:
            sets = read_sets(paths, config)
            policies = len(sets[-1].policy_set.policies)
            checked = Checked.of_report(lint_sets(sets, time.time()), policies)
        except ConfigurationError as error:
            checked = Checked.of_problems(error.problems)
    write(checked, "json" if as_json else output)
    if not checked.loads:
        raise typer.Exit(USAGE)
    raise typer.Exit(FINDINGS if checked.count("error") else 0)
