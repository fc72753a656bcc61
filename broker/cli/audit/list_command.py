"""`broker audit list`: the newest events, and the explanation of one decision."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from broker.cli.audit.explaining import explained_by, no_such_decision, unchanged_members
from broker.cli.audit.opening import Since, Until, instant, settings_of, store_of
from broker.cli.common_options import Config, Data
from broker.cli.endings import fail, server_extra, told_plainly
from broker.cli.terminal import ascii_only, show, sign_coloured, signed

if TYPE_CHECKING:
    from broker.core.audit_chain import StoredEvent
    from broker.core.recorded_decision import RecordedDecision
    from broker.ports import EventFilter, StoreReading

_LIST: Final = "audit list"


def list_events(
    *,
    decision: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The decision of this `decision_id`, explained."),
    ] = None,
    service_account: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this service account or instance.")
    ] = None,
    issuer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Jobs of this issuer of the policies.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Such as token.exchanged.")
    ] = None,
    outcome: Annotated[
        Literal["success", "refused", "error"] | None, typer.Option(help="How they ended.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="WORD", help="Such as no_policy_matched.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(metavar="NAME", help="What this policy decided.")
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 100,
    cursor: Annotated[
        str | None,
        typer.Option(metavar="CURSOR", help="Go on with older ones where a list ended."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Explain by every policy of the issuer, not 20.")
    ] = False,
    config: Config = None,
    data: Data = Path("data"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Lines.")] = False,
) -> None:
    """Show events, the newest last. With --decision, why it was decided so: the operator's view."""
    with server_extra("audit list"), told_plainly():
        from broker.core.list_cursor import write_cursor
        from broker.ports import EventFilter

        wanted = EventFilter(
            decision_id=decision,
            issuer=issuer,
            type=kind,
            outcome=outcome,
            reason=reason,
            policy=policy,
            since=instant("--since", since),
            until=instant("--until", until),
        ).of(service_account)
        asked = {
            "decision": decision,
            "service-account": service_account,
            "issuer": issuer,
            "type": kind,
            "outcome": outcome,
            "reason": reason,
            "policy": policy,
            "since": since,
            "until": until,
        }
        filters = {name: value for name, value in asked.items() if value is not None}
        behind = _position(cursor, filters)
        settings = settings_of(config, data)
        store = store_of(settings)
        found, next_behind = asyncio.run(_newest(store, wanted, behind, limit))
        for each in reversed(found):
            _show(each, as_json=as_json)
        if decision is None:
            if not found and not as_json:
                typer.echo("broker: no event on record fits", err=True)
            if next_behind is not None:
                following = write_cursor(_LIST, filters, next_behind)
                typer.echo(f"older events: --cursor {following}", err=True)
            return
        if not found:
            no_such_decision()
        event = unchanged_members(found[0])
        explained = asyncio.run(explained_by(event, settings, store, everything=everything))
        _show_explanation(explained, event, as_json=as_json)


def _position(cursor: str | None, filters: dict[str, str]) -> str | None:
    from broker.core.list_cursor import CursorRefused, read_cursor

    if cursor is None:
        return None
    try:
        return read_cursor(_LIST, filters, cursor)
    except CursorRefused as error:
        fail(f"--cursor: {error}; a cursor goes with the same other options")


async def _newest(
    store: "StoreReading", wanted: "EventFilter", behind: str | None, limit: int
) -> tuple[list["StoredEvent"], str | None]:
    """Find as many as are wanted, and where the next ones begin; a page may have few or none."""
    found: list[StoredEvent] = []
    while True:
        try:
            page = await store.event_page(wanted, behind=behind, limit=limit - len(found))
        except ValueError:
            fail("--cursor: it is not one that the broker gave")
        found += page.events
        behind = page.next_behind
        if behind is None or len(found) == limit:
            return found, behind


def _show(event: "StoredEvent", *, as_json: bool) -> None:
    from broker.core.audit_text import event_line

    try:
        if as_json:
            line = event.line()
        else:
            line = sign_coloured(event_line(event.members(), ascii_only=ascii_only()))
    except ValueError:
        typer.echo(
            f"broker: event {event.sequence} is damaged; look with `broker audit verify`", err=True
        )
    else:
        show(f"{line}\n")


def _show_explanation(
    explained: "RecordedDecision", event: dict[str, Any], *, as_json: bool
) -> None:
    from broker.core.decision_text import explanation_lines

    if as_json:
        explanation = explained.explanation
        members = None if explanation is None else explanation.as_json()
        facts = {"type": "audit.explanation", "decision_id": event["id"]}
        typer.echo(json.dumps(facts | {"explanation": members, "notes": list(explained.notes)}))
        return
    for lines in explanation_lines(event, explained, ascii_only=ascii_only()):
        show(signed(lines))
