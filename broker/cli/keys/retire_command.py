"""`broker keys retire`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from broker.cli.common_options import AsJson, Config, Data
from broker.cli.keys.opening import ACTOR, OpenedKeys, run


def retire(
    kid: Annotated[str, typer.Argument(metavar="KID", help="The key's id, as `keys list` shows.")],
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Let a key be gone at once, as when it has leaked: it signs nothing and is not published.

    The next key of its algorithm takes over. What the key has signed verifies nowhere once caches
    of the JWKS have run out, and at the broker from now on.
    """

    async def work(opened: OpenedKeys) -> None:
        await opened.keys.retire(kid, ACTOR)

    run("retire", config, data, work)
    typer.echo(json.dumps({"retired": kid}) if as_json else f"{kid} is retired")
