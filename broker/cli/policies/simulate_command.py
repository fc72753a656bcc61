"""`broker policies simulate`: what a changed set would have made of the decisions on record."""

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from broker.cli.common_options import Config, Data
from broker.cli.endings import server_extra, told_plainly
from broker.cli.pipeline.asking import Auth, asked_for_audit
from broker.cli.pipeline.options import (
    AuthOption,
    ClientSecretFile,
    IdTokenFile,
    IdTokenVariable,
    ServiceAccount,
    told_and_ended,
)
from broker.cli.policies.loading import Paths, load_sets
from broker.cli.policies.reading_options import Against, Server, Since, Until

FAIL_ON: Final = "newly_denied,newly_permitted"

Format = Literal["text", "json", "markdown"]
OutputFormat = Annotated[
    Format, typer.Option("--format", help="`markdown` is for a comment on a pull request.")
]
AsJson = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
FailOn = Annotated[
    str,
    typer.Option(
        metavar="LIST",
        help="End with 1 when there is one of these, with commas between them: newly_denied,"
        " newly_permitted, changed, undecidable; or none.",
    ),
]


def simulate(
    *,
    paths: Paths = None,
    against: Against = None,
    server: Server = "",
    since: Since = None,
    until: Until = None,
    fail_on: FailOn = FAIL_ON,
    output: OutputFormat = "text",
    as_json: AsJson = False,
    service_account: ServiceAccount = "",
    auth: AuthOption = Auth.OIDC,
    client_secret_file: ClientSecretFile = None,
    id_token_file: IdTokenFile = None,
    id_token_env: IdTokenVariable = "",
    config: Config = None,
    data: Data = Path("data"),
) -> None:
    """Decide once more, by these files, what was decided before: who gains and who loses what.

    Exit 0, or 1 when something changes that --fail-on names; 2 when the files do not load, or when
    what is to be read is no whole export.
    """
    with server_extra("policies simulate"), told_plainly(), told_and_ended():
        from broker.cli.policies.recorded_events import Span, opened
        from broker.cli.policies.simulating import ending, kinds_named, simulated, write

        kinds = kinds_named(fail_on)
        asked = asked_for_audit(
            server, service_account, auth, client_secret_file, id_token_file, id_token_env
        )
        sets = [each.policy_set for each in load_sets(paths, config)]
        events = opened(against, Span.read(since, until), asked, config, data)
        report = simulated(sets, events, config)
    write(report, events.notes(), "json" if as_json else output)
    raise typer.Exit(ending(report, kinds))
