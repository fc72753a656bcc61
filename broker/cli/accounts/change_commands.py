"""`broker accounts update`, `enable`, `disable` and `delete`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.cli.accounts.list_commands import print_account
from broker.cli.accounts.opening import AccountId, OpenedAccounts, run
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
    json_object,
)
from broker.cli.common_options import AsJson, Config, Data
from broker.cli.endings import fail
from broker.cli.grant_option import Grant


def update(
    client_id: AccountId,
    *,
    name: Name = None,
    description: Description = None,
    grant: Grant = None,
    revoke_grant: Annotated[
        list[str] | None,
        typer.Option("--revoke-grant", metavar="SERVICE", help="Take a service away; repeatable."),
    ] = None,
    ttl: Ttl = None,
    max_ttl: MaxTtl = None,
    metadata: Metadata = None,
    expires: Expires = None,
    network: Network = None,
    jwks_uri: JwksUri = None,
    jwks_file: JwksFile = None,
    patch_file: Annotated[
        Path | None,
        typer.Option("--patch", metavar="FILE", help="A merge patch (RFC 7396); `-` for stdin."),
    ] = None,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Change a service account: what an option names, or a merge patch says."""
    patch: dict[str, Any] = account_members(
        name=name,
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
    if revoke_grant:
        patch["grants"] = patch.get("grants", {}) | dict.fromkeys(revoke_grant)
    if patch_file is not None:
        if patch:
            fail("--patch: says all that shall be changed; leave the other options out")
        patch = json_object(patch_file)
    elif not patch:
        fail("say what shall be changed, by options or `--patch FILE`; `--help` lists them")
    by_options = patch_file is None
    _patch("update", client_id, patch, config, data, as_json=as_json, by_options=by_options)


def enable(
    client_id: AccountId,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Let a service account act again."""
    _patch("enable", client_id, {"enabled": True}, config, data, as_json=as_json)


def disable(
    client_id: AccountId,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Let a service account do nothing any more, its federated jobs included, until enabled."""
    _patch("disable", client_id, {"enabled": False}, config, data, as_json=as_json)


def delete(
    client_id: AccountId,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """End a service account and its secrets, for good: its id is never given again."""

    async def work(opened: OpenedAccounts) -> None:
        await opened.registry.delete(opened.identify, client_id)

    run("delete", config, data, work)
    typer.echo(json.dumps({"deleted": client_id}) if as_json else f"{client_id} is deleted")


def _patch(
    command: str,
    client_id: str,
    patch: dict[str, Any],
    config: Path | None,
    data: Path,
    *,
    as_json: bool,
    by_options: bool = True,
) -> None:
    async def work(opened: OpenedAccounts) -> dict[str, Any]:
        return await opened.registry.patch(opened.identify, client_id, patch)

    account = run(command, config, data, work, by_options=by_options)
    print_account(account, as_json=as_json)
