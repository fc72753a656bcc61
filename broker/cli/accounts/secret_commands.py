"""`broker accounts secret`: the client secrets of one account."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli import terminal
from broker.cli.accounts.create_command import show_made
from broker.cli.accounts.list_commands import print_account
from broker.cli.accounts.opening import AccountId, OpenedAccounts, run
from broker.cli.accounts.options import Expires, end
from broker.cli.common_options import AsJson, Config, Data

if TYPE_CHECKING:
    from broker.ports import Made

SecretId = Annotated[
    str, typer.Argument(metavar="SECRET_ID", help="The secret's id, as `secret list` shows.")
]


def create(
    client_id: AccountId,
    expires: Expires = None,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Make one more secret, and print it alone."""
    ends = end(expires)
    members = {} if ends is None else {"expires_at": ends}

    async def work(opened: OpenedAccounts) -> "Made":
        return await opened.registry.create_secret(opened.identify, client_id, members)

    made = run("secret create", config, data, work)
    show_made(made, what=f"{client_id} has one more secret", as_json=as_json)


def list_secrets(
    client_id: AccountId,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """List the secrets that are alive: how old they are, and when each was last used."""

    async def work(opened: OpenedAccounts) -> list[dict[str, Any]]:
        return await opened.registry.secrets(opened.caller, client_id)

    items = run("secret list", config, data, work)
    if as_json:
        typer.echo(json.dumps({"items": items}))
        return
    for each in items:
        facts = [each["id"], f"{each['age_days']} days old"]
        facts.append(f"last used {each['last_used_at'] or 'never'}")
        if each["expires_at"]:
            facts.append(f"ends {each['expires_at']}")
        if each["replaces"]:
            facts.append(f"replaces {each['replaces']}")
        if each["warning"]:
            warning = terminal.state_coloured(each["warning"])
            facts.append(f"{warning}: rotate it, or let a policy take its place")
        terminal.show("  ".join(facts) + "\n")


def revoke(
    client_id: AccountId,
    secret_id: SecretId,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """End a secret now."""

    async def work(opened: OpenedAccounts) -> None:
        await opened.registry.revoke_secret(opened.identify, client_id, secret_id)

    run("secret revoke", config, data, work)
    typer.echo(json.dumps({"revoked": secret_id}) if as_json else f"{secret_id} is revoked")


def rotate(
    client_id: AccountId,
    overlap: Annotated[
        str, typer.Option(help="How long the old secret still holds; 30d at most.")
    ] = "24h",
    secret_id: Annotated[
        str | None,
        typer.Option("--secret-id", help="Which secret is replaced, where several are alive."),
    ] = None,
    expires: Expires = None,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Make a second secret, and print it alone; the old one ends with the overlap."""
    stated = {"overlap": overlap, "secret_id": secret_id, "expires_at": end(expires)}
    members = {name: value for name, value in stated.items() if value is not None}

    async def work(opened: OpenedAccounts) -> "Made":
        return await opened.registry.rotate_secret(opened.identify, client_id, members)

    made = run("secret rotate", config, data, work)
    show_made(made, what=f"{made.members['replaces']} ends in {overlap}", as_json=as_json)


def complete(
    client_id: AccountId,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Finish a rotation: the old secret ends now."""

    async def work(opened: OpenedAccounts) -> dict[str, Any]:
        return await opened.registry.complete_rotation(opened.identify, client_id)

    print_account(run("secret complete", config, data, work), as_json=as_json)


def cancel(
    client_id: AccountId,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Undo a rotation: the new secret is dropped, the old one goes on."""

    async def work(opened: OpenedAccounts) -> dict[str, Any]:
        return await opened.registry.cancel_rotation(opened.identify, client_id)

    print_account(run("secret cancel", config, data, work), as_json=as_json)
