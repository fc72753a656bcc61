"""`broker accounts list` and `broker accounts show`."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from broker.cli import terminal
from broker.cli.accounts.opening import AccountId, OpenedAccounts, run
from broker.cli.accounts.options import print_members
from broker.cli.common_options import AsJson, Config, Data

_PAGE: Final = 500


def list_accounts(
    organization: Annotated[
        str | None, typer.Option(help="Only accounts of this organization.")
    ] = None,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """List the service accounts: those of the policy files, and those that were made."""

    async def work(opened: OpenedAccounts) -> list[dict[str, Any]]:
        return [each async for each in every_account(opened, organization)]

    items = run("list", config, data, work)
    # Not before: without the extra there is no such module, and `run` says so.
    from broker.core.audit import rfc3339

    if as_json:
        typer.echo(json.dumps({"items": items}))
        return
    now = rfc3339(time.time())
    for each in items:
        state = _state(each, now)
        organization = each["organization"] or "-"
        facts = [each["id"], each["managed_by"], terminal.state_coloured(state), organization]
        name = "" if each["name"] == each["id"] else f"  {each['name']}"
        terminal.show("  ".join(facts) + f"{name}\n")


def _state(account: dict[str, Any], now: str) -> str:
    if not account["enabled"]:
        return "disabled"
    # RFC 3339 in UTC, both to the millisecond: their order is that of the texts.
    over = account["expires_at"] is not None and account["expires_at"] <= now
    return "expired" if over else "enabled"


def show(
    client_id: AccountId,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Show one service account."""

    async def work(opened: OpenedAccounts) -> dict[str, Any]:
        return await opened.registry.shown(opened.caller, client_id)

    print_account(run("show", config, data, work), as_json=as_json)


def print_account(members: dict[str, Any], *, as_json: bool) -> None:
    """Print an account, or a secret without itself."""
    if as_json:
        typer.echo(json.dumps(members))
    else:
        print_members(members)


async def every_account(
    opened: OpenedAccounts, organization: str | None = None
) -> AsyncIterator[dict[str, Any]]:
    """Give all accounts, page by page."""
    after: str | None = ""
    while after is not None:
        page = await opened.registry.listed(
            opened.caller, organization=organization, after=after, limit=_PAGE
        )
        for each in page.items:
            yield each
        after = page.next_after
