"""`broker audit list`: the newest events, and the explanation of one decision."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from broker.cli.audit.opening import Since, Until, instant, master_key_of, settings_of, store_of
from broker.cli.common_options import Config, Data
from broker.cli.endings import fail, server_extra, told_plainly
from broker.cli.terminal import ascii_only, show, sign_coloured, signed

if TYPE_CHECKING:
    from broker.core.audit_chain import StoredEvent
    from broker.core.recorded_decision import RecordedDecision
    from broker.ports import EventFilter, StoreReading
    from broker.settings import Settings

_LIST: Final = "audit list"


def list_events(
    *,
    decision: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The decision of this `decision_id`, explained."),
    ] = None,
    service_account: Annotated[
        str | None, typer.Option(metavar="NAME", help="Tokens of this service account.")
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
            service_account=service_account,
            issuer=issuer,
            type=kind,
            outcome=outcome,
            reason=reason,
            policy=policy,
            since=instant("--since", since),
            until=instant("--until", until),
        )
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
            if next_behind is not None:
                following = write_cursor(_LIST, filters, next_behind)
                typer.echo(f"older events: --cursor {following}", err=True)
            return
        if not found:
            fail(
                "there is no such decision: a count of refusals is written when its minute ends,"
                " and old events are pruned (`audit.retention`)",
                code=1,
            )
        event = found[0].members()
        explained = asyncio.run(_explained(event, settings, store, everything=everything))
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


async def _explained(
    event: dict[str, Any], settings: "Settings", store: "StoreReading", *, everything: bool
) -> "RecordedDecision":
    from broker.core.accounts_in_force import accounts_named
    from broker.core.recorded_decision import explain_event, needed_policy_set
    from broker.reload.kept_sets import KeptSetsReading
    from broker.reload.reading import PolicyReader
    from broker.reload.seal import KEY_PURPOSE, Seal
    from broker.reload.sources import DeploymentParameters
    from broker.signing.sealed_accounts import SealedAccountsReading
    from broker.signing.sealed_rows import SealedBox
    from broker.system import SystemClock

    version = needed_policy_set(event)
    if version is None:
        return explain_event(event, None)
    parameters = DeploymentParameters(
        broker_issuer=settings.issuer,
        ttl=settings.tokens.ttl,
        max_ttl=settings.tokens.max_ttl,
        signing_algorithms=settings.signing.algorithms,
        loopback=settings.loopback,
        dev_issuers=None,
        folders=settings.folders,
    )
    reader = PolicyReader(settings.policies, parameters, SystemClock())
    master_key = await master_key_of(settings, store)
    seal = Seal(master_key.derive(KEY_PURPOSE))
    policy_set = await KeptSetsReading(store, seal, reader).find(version)
    if policy_set is None:
        return explain_event(event, None)
    accounts = SealedAccountsReading(store, SealedBox(master_key))
    return explain_event(
        event,
        policy_set,
        await accounts.accounts_of(sorted(accounts_named(policy_set))),
        await accounts.account_overrides(),
        everything=everything,
    )


def _show_explanation(
    explained: "RecordedDecision", event: dict[str, Any], *, as_json: bool
) -> None:
    from broker.core.condition_text import yaml
    from broker.core.explanation_text import render

    explanation = explained.explanation
    if as_json:
        members = None if explanation is None else explanation.as_json()
        facts = {"type": "audit.explanation", "decision_id": event["id"]}
        typer.echo(json.dumps(facts | {"explanation": members, "notes": list(explained.notes)}))
        return
    claims = event["claims"]
    if isinstance(claims, dict):
        show("\nclaims on record:\n")
        for name, value in claims.items():
            show(f"    {yaml(name)}: {yaml(value)}\n")
    if explanation is not None:
        show("\n" + signed(render(explanation, ascii_only=ascii_only())))
    for note in explained.notes:
        show(f"\nnote: {note}\n")
