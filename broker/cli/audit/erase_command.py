"""`broker audit erase-claims`: what tokens claimed is forgotten; what was decided is not."""

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from broker.cli.audit.opening import instant, settings_of, store_of
from broker.cli.common_options import AsJson, Config, Data
from broker.cli.endings import fail, server_extra, told_plainly

if TYPE_CHECKING:
    from broker.ports import ClaimsFilter
    from broker.settings import Settings

_BATCH: Final = 200


def erase_claims(
    *,
    decision: Annotated[
        str | None, typer.Option(metavar="ID", help="Of the event with this `decision_id`.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Of events before then: a date, or 30d.")
    ] = None,
    claim: Annotated[
        str | None,
        typer.Option(metavar="NAME=VALUE", help="Of events with this claim: actor=octocat."),
    ] = None,
    rewrite: Annotated[
        bool,
        typer.Option(
            "--rewrite",
            help="Also write the file of the store anew, since its unused parts may hold copies;"
            " a running broker waits meanwhile.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Erase the recorded claims of events for good. The chain still verifies.

    What is meant has to be said; of several options all have to hold.
    """
    with server_extra("audit erase-claims"), told_plainly():
        from broker.ports import ClaimsFilter

        if decision is None and before is None and claim is None:
            fail("say which claims: --decision, --before or --claim")
        wanted = ClaimsFilter(decision, instant("--before", before), _named(claim))
        settings = settings_of(config, data)
        store = store_of(settings)
        sequences = asyncio.run(store.events_with_claims(wanted))
        if sequences and not yes:
            typer.confirm(
                f"Erase the claims of {len(sequences)} events for good?", abort=True, err=True
            )
        if sequences or rewrite:
            asyncio.run(_erase(settings, wanted, sequences, rewrite=rewrite))
    typer.echo(
        json.dumps({"erased": len(sequences)})
        if as_json
        else f"{len(sequences)} events have no claims any more"
    )


def _named(claim: str | None) -> tuple[str, str] | None:
    if claim is None:
        return None
    name, equals, value = claim.partition("=")
    if not name or not equals:
        fail("--claim: write NAME=VALUE, such as actor=octocat")
    return name, value


async def _erase(
    settings: "Settings", wanted: "ClaimsFilter", sequences: list[int], *, rewrite: bool
) -> None:
    """Record what is about to be erased, then erase it in small steps beside a running broker."""
    from broker.audit.erasure import erased
    from broker.ports import Entry
    from broker.stores.opening import open_store
    from broker.system import SystemClock, UuidV7Identifiers

    clock = SystemClock()
    store = await open_store(settings.store, clock, may_make=False, serving=False)
    try:
        if sequences:
            now = time.time()
            event_id = UuidV7Identifiers().new(now)
            await store.commit(Entry(erased(event_id, now, wanted, len(sequences))))
        for start in range(0, len(sequences), _BATCH):
            await store.erase_claims(sequences[start : start + _BATCH])
        await store.erase_claims(())
        if rewrite:
            await store.rewrite_file()
    finally:
        await store.close()
