"""`broker keys list`."""

import json
from pathlib import Path

import typer

from broker.cli.common_options import AsJson, Config, Data
from broker.cli.keys.opening import OpenedKeys, run


def list_keys(config: Config = None, data: Data = Path("data"), as_json: AsJson = False) -> None:
    """List the signing keys: which signs, which waits, which stays for the tokens it has signed."""
    listed = run("list", config, data, _listed)
    if as_json:
        typer.echo(json.dumps({"items": listed}))
        return
    for key in listed:
        hours = f"signs from {key['sign_from']}"
        if key["sign_until"]:
            hours += f" until {key['sign_until']}"
        typer.echo(f"{key['kid']}  {key['alg']:<5}  {key['state']:<10}  {hours}")


async def _listed(opened: OpenedKeys) -> list[dict[str, object]]:
    return [key.members() for key in await opened.keys.listed()]
