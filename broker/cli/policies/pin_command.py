"""`broker policies pin`: immutable ids for names, by what a broker has on record."""

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


def pin(
    *,
    paths: Paths = None,
    against: Against = None,
    server: Server = "",
    since: Since = None,
    until: Until = None,
    write: Annotated[
        bool, typer.Option("--write", help="Put the ids into the files; all else in them stays.")
    ] = False,
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
    """Propose the immutable ids of repositories and projects that policies know by name alone.

    They are learned from what was granted, by the same policy to tokens of the same issuer: without
    --against or --server, as the configured store has it. An id is put beside its name, so that
    nobody gets in who did not before. Exit 0; 1 when a name was seen with two ids; 2 when the files
    do not load, with or without the ids, or when what is to be read is no whole export.
    """
    with server_extra("policies pin"), told_plainly(), told_and_ended():
        from broker.cli.policies.pin_output import write as print_result
        from broker.cli.policies.pinning import ending, learned, pinned, put_in_place
        from broker.cli.policies.recorded_events import STORE, Span, opened

        asked = asked_for_audit(
            server, service_account, auth, client_secret_file, id_token_file, id_token_env
        )
        sets = load_sets(paths, config)
        if against is None and not server:
            against = STORE
        events = opened(against, Span.read(since, until), asked, config, data)
        report = learned([each.policy_set for each in sets], events)
        result = pinned(report, sets, paths, config)
        if write:
            result = put_in_place(result)
        print_result(result, events.notes(), "json" if as_json else output)
    raise typer.Exit(ending(result, write=write))
