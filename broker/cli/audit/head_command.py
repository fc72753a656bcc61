"""`broker audit head`: where the chain ends now, signed, for whoever keeps it elsewhere."""

import asyncio
import json
import time
from pathlib import Path
from typing import Annotated

import typer

from broker.cli.audit.opening import head_key_of, settings_of, store_of
from broker.cli.common_options import Config, Data
from broker.cli.endings import fail, server_extra, told_plainly


def head(
    *,
    public_key: Annotated[
        bool, typer.Option("--public-key", help="Print the public key (JWK) that verifies heads.")
    ] = False,
    config: Config = None,
    data: Data = Path("data"),
    _json: Annotated[bool, typer.Option("--json", help="What it does anyway: JSON.")] = False,
) -> None:
    """Print the signed head of the chain as one line of JSON. Keep it on another machine."""
    with server_extra("audit head"), told_plainly():
        typer.echo(asyncio.run(_head(config, data, public_key=public_key)))


async def _head(config: Path | None, data: Path, *, public_key: bool) -> str:
    settings = settings_of(config, data)
    store = store_of(settings)
    key = await head_key_of(settings, store)
    if public_key:
        return json.dumps(dict(key.verifier().jwk))
    end = await store.chain_end()
    if end is None:
        fail("the store holds no event yet", code=1)
    return key.head(end, time.time()).line()
