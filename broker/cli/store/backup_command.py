"""`broker store backup`."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.cli.audit.opening import settings_of
from broker.cli.common_options import AsJson, Config, Data
from broker.cli.endings import fail, server_extra, told_plainly
from broker.cli.store.proving import prove
from broker.cli.store.telling import head_members, tell, told_if_interrupted
from broker.cli.terminal import progress


def backup(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The file to be written; its folder is made.", readable=False
        ),
    ],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Write the whole store into one file, while brokers serve from it, and verify the file.

    It is a store in SQLite, whichever kind the configured one is. Keep the head that is printed in
    the end elsewhere: it tells later whether a backup is this one.
    """
    with server_extra("store backup"), told_plainly(), told_if_interrupted():
        facts = asyncio.run(_backed_up(config, data, file, force=force))
    tell(as_json=as_json, **facts)


async def _backed_up(config: Path | None, data: Path, file: Path, *, force: bool) -> dict[str, Any]:
    from broker.copying.transfer import Transfer
    from broker.settings import SqliteStoreLocation
    from broker.stores.opening import bytes_of, open_contents, open_draft, same_place
    from broker.system import SystemClock

    settings = settings_of(config, data)
    source, target = settings.store, SqliteStoreLocation(file)
    if same_place(source, target):
        fail(f"{file} is the configured store itself: name another file")
    proving = await prove(settings, source)
    draft = open_draft(target, replace=force, as_backup=True, needed=bytes_of(source))
    with progress(2 * proving.events, "backing up") as advance:
        transfer = Transfer(open_contents(source), draft, target.shown, proving.proof, advance)
        verified = await transfer.run()
    return {
        "source": source.shown,
        "target": target.shown,
        "verified": verified,
        "head": head_members(verified, proving.head_key, SystemClock().now()),
        "seals": proving.proof is not None,
    }
