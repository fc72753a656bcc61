"""`broker accounts create`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli.accounts.opening import OpenedAccounts, run
from broker.cli.accounts.options import (
    Description,
    Expires,
    JwksFile,
    JwksUri,
    MaxTtl,
    Metadata,
    Name,
    Network,
    Ttl,
    account_members,
)
from broker.cli.common_options import AsJson, Config, Data
from broker.cli.grant_option import Grant

if TYPE_CHECKING:
    from broker.ports import Made


def create(
    client_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="Its id; without one, an id `m-…` is generated."),
    ] = None,
    *,
    name: Name = None,
    description: Description = None,
    organization: Annotated[
        str | None, typer.Option(help="The organization that it belongs to.")
    ] = None,
    grant: Grant = None,
    ttl: Ttl = None,
    max_ttl: MaxTtl = None,
    metadata: Metadata = None,
    expires: Expires = None,
    network: Network = None,
    jwks_uri: JwksUri = None,
    jwks_file: JwksFile = None,
    secret: Annotated[
        bool, typer.Option("--secret", help="Make a client secret, and print it alone.")
    ] = False,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Make a service account. Where no broker was ever started, its store is made, too.

    The first administrator: `broker accounts create admin --grant broker='broker:*' --secret`.
    """
    members: dict[str, Any] = account_members(
        name=name or client_id,
        description=description,
        grants=grant,
        ttl=ttl,
        max_ttl=max_ttl,
        metadata=metadata,
        expires=expires,
        networks=network,
        jwks_uri=jwks_uri,
        jwks_file=jwks_file,
    )
    if client_id is not None:
        members["client_id"] = client_id
    if organization is not None:
        members["organization"] = organization

    async def work(opened: OpenedAccounts) -> "Made":
        return await opened.registry.create(opened.identify, members, with_secret=secret)

    made = run("create", config, data, work, may_make_store=True)
    show_made(made, what=f"service account {made.members['id']} is made", as_json=as_json)


def show_made(made: "Made", *, what: str, as_json: bool) -> None:
    """Print what was made: a secret alone, else the id; all of it as JSON."""
    if as_json:
        shown = {} if made.secret is None else {"client_secret": made.secret}
        typer.echo(json.dumps(made.members | shown))
    elif made.secret is None:
        typer.echo(made.members["id"])
    else:
        typer.echo(made.secret)
        typer.echo(f"broker: {what}; the secret is shown this once", err=True)
