"""`broker policies report`: which policies are unused, too wide, broken, doubled or at an end."""

from pathlib import Path
from typing import Annotated, Final

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

WITHIN: Final = "30d"

_NAMES: Final = "unused, over-broad, sub-form, shadowed, expiring"


def report(
    *,
    paths: Paths = None,
    against: Against = None,
    server: Server = "",
    since: Since = None,
    until: Until = None,
    only: Annotated[
        str,
        typer.Option(
            metavar="LIST", help=f"The reports to make, with commas between them: {_NAMES}."
        ),
    ] = "",
    within: Annotated[
        str, typer.Option(metavar="DURATION", help="How soon a policy ends that is expiring.")
    ] = WITHIN,
    fail_on: Annotated[
        str,
        typer.Option(
            metavar="LIST", help="End with 1 when one of these reports finds something; or none."
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
    """Tell what policies nobody used, allow more than was seen, break, are doubled or end soon.

    Without --against and --server only what the files alone say: shadowed and expiring. Exit 0, or
    1 when there is something that --fail-on names; 2 when the files do not load, or when what is to
    be read is no whole export.
    """
    with server_extra("policies report"), told_plainly(), told_and_ended():
        from broker.cli.policies.recorded_events import Span, opened
        from broker.cli.policies.reporting import ending, reported, wanted, write

        asked_for = wanted(only, fail_on, within, with_events=bool(server) or against is not None)
        asked = asked_for_audit(
            server, service_account, auth, client_secret_file, id_token_file, id_token_env
        )
        sets = [each.policy_set for each in load_sets(paths, config)]
        span = Span.read(since, until)
        events = None
        if server or against is not None:
            events = opened(against, span, asked, config, data)
        reports = reported(sets, events, config, asked_for.wanted)
    write(reports, [] if events is None else events.notes(), "json" if as_json else output)
    raise typer.Exit(ending(reports, asked_for.failing))
