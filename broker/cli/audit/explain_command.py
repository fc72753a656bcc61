"""`broker audit explain`: one decision in words, by its id or by the link of a refusal."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from broker.cli.audit.explaining import (
    explained_by,
    find_decision,
    no_such_decision,
    unchanged_members,
)
from broker.cli.audit.opening import settings_of, store_of
from broker.cli.common_options import Config, Data
from broker.cli.endings import fail, server_extra, told_plainly
from broker.cli.pipeline.asking import Asked, Auth, asked_for_audit
from broker.cli.pipeline.options import (
    AuthOption,
    ClientSecretFile,
    IdTokenFile,
    IdTokenVariable,
    ServiceAccount,
    told_and_ended,
)
from broker.cli.terminal import ascii_only, show, signed

if TYPE_CHECKING:
    from broker.core.recorded_decision import RecordedDecision

Format = Literal["text", "markdown", "json"]


def explain(
    *,
    decision: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The `decision_id` of an answer, or the link (`error_uri`) in it."
        ),
    ],
    output: Annotated[
        Format, typer.Option("--format", help="`markdown` is a message for a chat.")
    ] = "text",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Explain by every policy of the issuer, not 20.")
    ] = False,
    server: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Ask the broker at this https URL, and explain by the policy files here.",
        ),
    ] = "",
    service_account: ServiceAccount = "",
    auth: AuthOption = Auth.OIDC,
    client_secret_file: ClientSecretFile = None,
    id_token_file: IdTokenFile = None,
    id_token_env: IdTokenVariable = "",
    config: Config = None,
    data: Data = Path("data"),
) -> None:
    """Say who asked for what, why it was decided so, and what would help: the operator's view.

    Exit 1 when there is no such decision.
    """
    with server_extra("audit explain"), told_plainly(), told_and_ended():
        decision_id = _id_in(decision)
        if server:
            asked = asked_for_audit(
                server, service_account, auth, client_secret_file, id_token_file, id_token_env
            )
            event, explained = _served(asked, decision_id, config, everything=everything)
        else:
            event, explained = _stored(config, data, decision_id, everything=everything)
        _print(event, explained, "json" if as_json else output)


def _stored(
    config: Path | None, data: Path, decision_id: str, *, everything: bool
) -> "tuple[dict[str, Any], RecordedDecision]":
    settings = settings_of(config, data)
    store = store_of(settings)
    found = asyncio.run(find_decision(store, decision_id))
    if found is None:
        no_such_decision()
    event = unchanged_members(found)
    return event, asyncio.run(explained_by(event, settings, store, everything=everything))


def _served(
    asked: Asked, decision_id: str, config: Path | None, *, everything: bool
) -> "tuple[dict[str, Any], RecordedDecision]":
    from broker.cli.audit.served_decision import explained_by_files, served_event

    event = served_event(asked, decision_id)
    if event is None:
        no_such_decision()
    return event, explained_by_files(event, config, everything=everything)


def _id_in(text: str) -> str:
    """Read an id, or the one in a link; whose link it is does not matter."""
    from broker.core.decision_link import is_decision_id, linked_decision

    if is_decision_id(text):
        return text
    decision_id = linked_decision(text)
    if decision_id is None:
        fail(
            "ID: neither the id of a decision, as 01a20b88-c550-7c2b-869f-de7a5e664017, nor the"
            " link to one, as https://broker.example.com/d/01a20b88-c550-7c2b-869f-de7a5e664017"
        )
    return decision_id


def _print(event: dict[str, Any], explained: "RecordedDecision", output: Format) -> None:
    from broker.core.decision_markdown import decision_markdown
    from broker.core.decision_text import decision_text

    if output == "json":
        explanation = explained.explanation
        members = None if explanation is None else explanation.as_json()
        told = {"event": event, "explanation": members, "notes": list(explained.notes)}
        typer.echo(json.dumps(told))
    elif output == "markdown":
        show(decision_markdown(event, explained))
    else:
        show(signed(decision_text(event, explained, ascii_only=ascii_only())))
