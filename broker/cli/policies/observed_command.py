"""`broker policies observed`: what the policies that are only observed would have done."""

from pathlib import Path
from typing import Annotated

import typer

from broker.cli.common_options import Config, Data
from broker.cli.endings import server_extra, told_plainly
from broker.cli.pipeline.asking import Asked, Auth
from broker.cli.pipeline.options import (
    AuthOption,
    ClientSecretFile,
    IdTokenFile,
    IdTokenVariable,
    ServiceAccount,
    told_and_ended,
)
from broker.cli.policies.loading import Paths, load_sets
from broker.cli.policies.simulate_command import AsJson, OutputFormat
from broker.client.audit_pages import SCOPE, SERVICE


def observed(
    *,
    paths: Paths = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="AUDIT",
            help="What was decided: a JSON Lines export, - for stdin, or `store` for the"
            " configured store.",
        ),
    ] = None,
    server: Annotated[
        str, typer.Option(metavar="URL", help="Ask the broker at this https URL instead.")
    ] = "",
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="From then on: a date (UTC), a time, or 14d."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Before then; as --since.")
    ] = None,
    alone: Annotated[
        bool,
        typer.Option(
            "--alone",
            help="Decide once more by the observed policies alone, as if they replaced those that"
            " are enforced.",
        ),
    ] = False,
    fail_on: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="End with 1 when there is one of these, with commas between them: would_permit,"
            " would_deny, would_change, undecidable, never_held; or none.",
        ),
    ] = "none",
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
    """Say what policies with `mode: observe` would have permitted, denied and changed.

    Exit 0, or 1 when there is what --fail-on names; 2 when the files do not load, or when what is
    to be read is no whole export.
    """
    with server_extra("policies observed"), told_plainly(), told_and_ended():
        from broker.cli.policies.observing import conditions_named, ending, observations, write
        from broker.cli.policies.recorded_events import ACCOUNTS_OF_NOW, Span, opened

        conditions = conditions_named(fail_on)
        asked = Asked(
            service=SERVICE,
            scope=SCOPE,
            url=server,
            service_account=service_account,
            auth=auth,
            client_secret_file=client_secret_file,
            id_token_file=id_token_file,
            id_token_variable=id_token_env,
        )
        sets = [each.policy_set for each in load_sets(paths, config)]
        events = opened(against, Span.read(since, until), asked, config, data)
        found = observations(sets, events, config, alone=alone)
    # Beside the enforcing ones nothing is decided again: accounts are those of then.
    notes = [each for each in events.notes() if alone or each != ACCOUNTS_OF_NOW]
    write(found, notes, "json" if as_json else output)
    raise typer.Exit(ending(found, conditions))
