"""`broker policies diff`: what the files say otherwise than a revision, and what that would do."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli.common_options import Config, Data
from broker.cli.endings import fail, server_extra, told_plainly
from broker.cli.pipeline.asking import Auth, asked_for_audit
from broker.cli.pipeline.options import (
    AuthOption,
    ClientSecretFile,
    IdTokenFile,
    IdTokenVariable,
    ServiceAccount,
    told_and_ended,
)
from broker.cli.policies.loading import Paths, load_sets, paths_for
from broker.cli.policies.reading_options import Server
from broker.cli.policies.simulate_command import FAIL_ON, AsJson, FailOn, OutputFormat
from broker.cli.terminal import ascii_only, show

if TYPE_CHECKING:
    from broker.core.policy_differences import Difference


def diff(
    *,
    paths: Paths = None,
    base: Annotated[str, typer.Option(metavar="REV", help="The revision of git to compare with.")],
    since: Annotated[
        str | None,
        typer.Option(
            "--simulate", metavar="TIME", help="Also decide again what was decided since: 30d."
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="AUDIT",
            help="What was decided, as of `policies simulate`.",
            show_default="store",
        ),
    ] = None,
    server: Server = "",
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
    """Compare the files with those of a revision; with --simulate also say what that would do.

    Exit 0, or 1 when something changes that --fail-on names; 2 when files do not load.
    """
    with server_extra("policies diff"), told_plainly(), told_and_ended():
        from broker.cli.policies.recorded_events import STORE, Span, opened
        from broker.cli.policies.revision import files_of_revision
        from broker.cli.policies.simulating import ending, kinds_named, simulated
        from broker.core.policy_differences import differences

        kinds = kinds_named(fail_on)
        if since is None and (against is not None or server):
            fail("--against and --server are for --simulate: say since when, as in --simulate 30d")
        if against is None and not server:
            against = STORE
        chosen = paths_for(paths, config)
        sets = [each.policy_set for each in load_sets(chosen, config)]
        with files_of_revision(base, chosen) as files:
            before = [each.policy_set for each in load_sets(files, config)]
        found = list(differences(before[-1], sets[-1]))
        report, notes = None, []
        if since is not None:
            asked = asked_for_audit(
                server, service_account, auth, client_secret_file, id_token_file, id_token_env
            )
            events = opened(against, Span.read(since, None), asked, config, data)
            report = simulated(sets, events, config, before)
            notes = events.notes()
    if as_json or output == "json":
        simulation = None if report is None else {**report.as_json(), "notes": notes}
        members = {"changes": [each.as_json() for each in found], "simulation": simulation}
        typer.echo(json.dumps(members))
    elif output == "markdown":
        from broker.core.simulation import report_markdown

        text = "".join(f"{line}\n" for line in _markdown(found))
        if report is not None:
            # Both together are one comment.
            room = report_markdown.MAX_CHARACTERS - len(text) - 1
            text += "\n" + report_markdown.render(report, notes, room=room)
        typer.echo(text, nl=False)
    else:
        from broker.core.simulation import report_text

        show("".join(f"{line}\n" for line in _text(found)))
        if report is not None:
            show("\n" + report_text.render(report, notes, ascii_only=ascii_only()))
    raise typer.Exit(0 if report is None else ending(report, kinds))


def _text(found: "Iterable[Difference]") -> Iterator[str]:
    from broker.core.condition_text import shown

    said = False
    for each in found:
        said = True
        members = f": {', '.join(each.members)}" if each.members else ""
        yield f"{each.what} in {each.map}: {shown(each.name)}{members}"
    if not said:
        yield "the files say the same"


def _markdown(found: "Iterable[Difference]") -> Iterator[str]:
    from broker.core.simulation.report_markdown import code

    yield "### What the files say otherwise"
    yield ""
    listed = list(found)
    for each in listed[:_LISTED]:
        members = f": {', '.join(each.members)}" if each.members else ""
        yield f"- {each.what} in `{each.map}`: {code(each.name)}{members}"
    if len(listed) > _LISTED:
        yield f"- and {len(listed) - _LISTED} more"
    if not listed:
        yield "Nothing."


_LISTED = 50
"""How many entries a comment lists."""
