"""`broker keys rotate`."""

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from broker.cli.common_options import AsJson, Config, Data
from broker.cli.keys.opening import ACTOR, OpenedKeys, run

CACHED_SECONDS: Final = 300
"""How long verifiers may keep the JWKS: its `max-age`."""


def rotate(
    now: Annotated[
        bool,
        typer.Option("--now", help="Do not wait until the next key has been published for long."),
    ] = False,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Let the next key of every algorithm sign, as soon as verifiers know it."""

    async def work(opened: OpenedKeys) -> list[dict[str, object]]:
        successions = await opened.keys.rotate(at_once=now, actor=ACTOR)
        return [each.members() for each in successions]

    items = run("rotate", config, data, work)
    if as_json:
        typer.echo(json.dumps({"items": items}))
    else:
        for each in items:
            typer.echo(f"{each['alg']}: {each['kid']} signs from {each['sign_from']}")
    if now:
        typer.echo(
            f"broker: verifiers that hold the JWKS in a cache, for up to {CACHED_SECONDS} seconds,"
            " may refuse new tokens for that long",
            err=True,
        )
