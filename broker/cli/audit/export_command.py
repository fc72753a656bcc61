"""`broker audit export`: events as JSON Lines, oldest first."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from broker.cli.audit.opening import (
    Config,
    Since,
    Until,
    instant,
    settings_of,
    store_of,
    told_plainly,
)
from broker.cli.endings import fail, server_extra

if TYPE_CHECKING:
    from broker.ports import EventFilter
    from broker.stores.sqlite_reading import SqliteReading

_PAGE: Final = 1000
_BROKEN: Final = 1


def export(
    *,
    since: Since = None,
    until: Until = None,
    after_seq: Annotated[
        int, typer.Option(metavar="N", min=0, help="Go on behind this event.")
    ] = 0,
    config: Config = None,
    _json: Annotated[bool, typer.Option("--json", help="What it does anyway: JSON Lines.")] = False,
) -> None:
    """Print events as JSON Lines, the oldest first; each line can be verified by itself."""
    with server_extra("audit export"), told_plainly():
        from broker.ports import EventFilter

        wanted = EventFilter(since=instant("--since", since), until=instant("--until", until))
        damaged = asyncio.run(_export(store_of(settings_of(config)), wanted, after_seq))
    if damaged is not None:
        fail(f"event {damaged} is damaged; look with `broker audit verify`", code=_BROKEN)


async def _export(store: "SqliteReading", wanted: "EventFilter", after: int) -> int | None:
    """Print page by page; name the first event that cannot be printed."""
    while page := await store.find_events(wanted, after=after, limit=_PAGE):
        for event in page:
            try:
                sys.stdout.write(event.line() + "\n")
            except ValueError:
                return event.sequence
        after = page[-1].sequence
    return None
