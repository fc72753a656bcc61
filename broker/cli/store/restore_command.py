"""`broker store restore`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from broker.cli.audit.opening import settings_of
from broker.cli.common_options import AsJson, Config, Data
from broker.cli.endings import fail, server_extra, told_plainly
from broker.cli.store.proving import prove
from broker.cli.store.succession import last_issue, succession_event
from broker.cli.store.telling import head_members, tell, told_if_interrupted
from broker.cli.terminal import progress
from broker.core.printable import printable

if TYPE_CHECKING:
    from broker.core.audit_chain import Position, StoredEvent
    from broker.stores.opening import StoreLocation

UNDONE: Final = (
    "account.", "secret.", "key.", "issuer.", "block.", "token.revoked", "audit.claims_erased",
)  # fmt: skip
"""How the types of events begin that say of something that a restored store does not know."""

_READ_AT_ONCE: Final = 500
_MOST_SHOWN: Final = 10_000
"""A store that was replaced cannot be asked any more, so hardly anything is left out."""


def restore(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A backup, or the file of a store in SQLite.", readable=False
        ),
    ],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="End the store that is there; no broker may run.")
    ] = False,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the configured store, which must be absent or empty.

    CI tokens for one use that were issued before are refused from then on: which of them were used
    since the backup, nobody knows. What was revoked, disabled, blocked, retired or erased since has
    to be once more.
    """
    with server_extra("store restore"), told_plainly(), told_if_interrupted():
        facts, undone = asyncio.run(_restored(config, data, file, replace=replace))
    tell(as_json=as_json, **facts)
    told = f"CI tokens for one use that were issued before {facts['refused_until']} are refused"
    typer.echo(f"broker: {told}", err=True)
    _tell_undone(undone, facts["ends"])


async def _restored(
    config: Path | None, data: Path, file: Path, *, replace: bool
) -> tuple[dict[str, Any], "list[StoredEvent] | None"]:
    from broker.copying.transfer import Succession, Transfer
    from broker.copying.verification import verify_contents
    from broker.core.audit import rfc3339
    from broker.settings import SqliteStoreLocation
    from broker.stores.opening import bytes_of, open_contents, open_draft, same_place
    from broker.system import SystemClock

    settings = settings_of(config, data)
    source, target = SqliteStoreLocation(file), settings.store
    if same_place(source, target):
        fail(f"{file} is the configured store itself: name a backup")
    clock = SystemClock()
    proving = await prove(settings, source)
    undone: list[StoredEvent] | None = None
    refused: list[int] = []

    async def refused_until() -> int:
        refused.append(last_issue(clock.now(), settings.leeway))
        return refused[-1]

    with progress(3 * proving.events, "restoring") as advance:
        # Before anything ends that is there now.
        reading = open_contents(source)
        try:
            whole = await verify_contents(reading, source.shown, proving.proof, advance)
        finally:
            await reading.close()
        if replace:
            undone = await _since(target, whole.state.end)
        draft = open_draft(target, replace=replace, needed=bytes_of(source))
        transfer = Transfer(open_contents(source), draft, target.shown, proving.proof, advance)
        event = succession_event("store.restored", target.shown)
        verified = await transfer.run(Succession(event, refused_until))
    facts = {
        "source": source.shown,
        "target": target.shown,
        "verified": verified,
        "head": head_members(verified, proving.head_key, clock.now()),
        "seals": proving.proof is not None,
        "refused_until": rfc3339(refused[-1]),
        "ends": whole.ends,
        "undone": None if undone is None else [each.members() for each in undone],
    }
    return facts, undone


async def _since(location: "StoreLocation", end: "Position") -> "list[StoredEvent] | None":
    """Find the changes in a store that a backup of it does not know; None if that cannot be told.

    It cannot where the chain of the store does not go on, unbroken, from the end of the backup.
    """
    from broker.core.audit_chain import ChainVerification
    from broker.core.errors import ConfigurationError, Unavailable
    from broker.ports import EventFilter
    from broker.stores.opening import open_reading

    found: list[StoredEvent] = []
    try:
        store = open_reading(location)
        same = (await store.chain_page(end.sequence - 1, 1)).events if end.sequence else ()
        if [each.hash for each in same] != [end.hash]:
            return None
        after, chain = end.sequence, ChainVerification(begins_after=end)
        while len(found) <= _MOST_SHOWN:
            some = await store.find_events(EventFilter(), after=after, limit=_READ_AT_ONCE)
            if not some:
                break
            if not all(chain.take(each.link()) for each in some):
                return None
            found += [each for each in some if str(each.members()["type"]).startswith(UNDONE)]
            after = some[-1].sequence
    except (ConfigurationError, Unavailable, ValueError):
        return None
    return found


def _tell_undone(undone: "list[StoredEvent] | None", ends: str | None) -> None:
    since = "" if ends is None else f" since {ends}"
    if undone is None:
        typer.echo(
            f"broker: what was revoked, disabled, deleted, blocked, retired or erased{since} is not"
            " any more: look for it in the events that you sent elsewhere, and do it again",
            err=True,
        )
        return
    if not undone:
        typer.echo(f"broker: nothing was changed{since} that is to be done again", err=True)
        return
    typer.echo(f"broker: changed{since}, and to be done again where that still holds:", err=True)
    for event in undone[:_MOST_SHOWN]:
        members = event.members()
        target = members["target"] or members["token_id"] or members["service_account"] or ""
        line = f"{members['time']}  {members['type']}  {target}"
        typer.echo(f"  {printable(line)}", err=True)
    if len(undone) > _MOST_SHOWN:
        typer.echo("  and more", err=True)
