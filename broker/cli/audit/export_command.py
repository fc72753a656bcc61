"""`broker audit export`: events as JSON Lines or CSV, oldest first."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from broker.cli.audit.opening import Since, Until, instant, settings_of, store_of
from broker.cli.common_options import Config, Data
from broker.cli.endings import fail, server_extra, told_plainly
from broker.cli.terminal import put

if TYPE_CHECKING:
    from broker.ports import EventFilter, StoreReading

_PAGE: Final = 1000
_BROKEN: Final = 1


def export(
    *,
    since: Since = None,
    until: Until = None,
    after_seq: Annotated[
        int, typer.Option(metavar="N", min=0, help="Go on behind this event.")
    ] = 0,
    form: Annotated[
        Literal["jsonl", "csv"],
        typer.Option("--format", help="JSON Lines, or CSV for a spreadsheet: not to be verified."),
    ] = "jsonl",
    config: Config = None,
    data: Data = Path("data"),
    as_json: Annotated[
        bool, typer.Option("--json", help="What it does anyway: JSON Lines.")
    ] = False,
) -> None:
    """Print events, the oldest first; each line of JSON can be verified by itself."""
    if as_json and form != "jsonl":
        fail("--json and --format csv contradict each other")
    with server_extra("audit export"), told_plainly():
        from broker.ports import EventFilter

        wanted = EventFilter(since=instant("--since", since), until=instant("--until", until))
        store = store_of(settings_of(config, data))
        damaged = asyncio.run(_export(store, wanted, after_seq, as_csv=form == "csv"))
    if damaged is not None:
        fail(f"event {damaged} is damaged; look with `broker audit verify`", code=_BROKEN)


async def _export(
    store: "StoreReading", wanted: "EventFilter", after: int, *, as_csv: bool
) -> int | None:
    """Print page by page; name the first event that cannot be printed."""
    from broker.core import audit_csv

    if as_csv:
        put(audit_csv.header())
    while page := await store.find_events(wanted, after=after, limit=_PAGE):
        for event in page:
            try:
                text = audit_csv.row(event.members()) if as_csv else event.line() + "\n"
            except ValueError:
                return event.sequence
            put(text)
        after = page[-1].sequence
    return None
