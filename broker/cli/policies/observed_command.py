"""`broker policies observed`: what the policies that are only observed would have done."""

from pathlib import Path
from typing import Annotated

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
from broker.cli.policies.simulate_command import AsJson, OutputFormat
from broker.cli.policies.word_list import NONE


def observed(
    *,
    paths: Paths = None,
    against: Against = None,
    server: Server = "",
    since: Since = None,
    until: Until = None,
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
    ] = NONE,
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
        asked = asked_for_audit(
            server, service_account, auth, client_secret_file, id_token_file, id_token_env
        )
        sets = [each.policy_set for each in load_sets(paths, config)]
        events = opened(against, Span.read(since, until), asked, config, data)
        found = observations(sets, events, config, alone=alone)
    # Beside the enforcing ones nothing is decided again: accounts are those of then.
    notes = [each for each in events.notes() if alone or each != ACCOUNTS_OF_NOW]
    write(found, notes, "json" if as_json else output)
    raise typer.Exit(ending(found, conditions))
