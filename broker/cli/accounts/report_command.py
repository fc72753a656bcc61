"""`broker accounts report`."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from broker.cli.accounts.opening import OpenedAccounts, run
from broker.cli.common_options import AsJson, Config, Data
from broker.cli.endings import fail

_SENTENCES: Final = {
    "never_used": "was never used",
    "old": "is more than 60 days old",
    "overdue": "is more than 90 days old: rotate it",
    "replaceable": "is not needed: CI jobs act as the account by policy",
}


def report(
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Count tokens from then on: a date, or 30d ago.")
    ] = "30d",
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Tell which client secrets could go, and how many tokens are issued without one."""

    async def work(opened: OpenedAccounts) -> dict[str, Any]:
        from broker.core.instants import InstantRefused, parse_instant
        from broker.core.registry.report import secrets_report
        from broker.registry.report import accounts_with_secrets, tokens_issued

        try:
            start = parse_instant(since, opened.now)
        except InstantRefused as error:
            fail(f"--since: {error}")
        store, policy_set, now = opened.registry.store, opened.policy_set, opened.now
        accounts = [each async for each in accounts_with_secrets(store, policy_set, now)]
        tokens = await tokens_issued(opened.store, start)
        return secrets_report(accounts, tokens, policy_set, now)

    reported = run("report", config, data, work)
    if as_json:
        typer.echo(json.dumps(reported))
        return
    for each in reported["items"]:
        sentences = "; ".join(_SENTENCES[finding] for finding in each["findings"])
        typer.echo(f"{each['client_id']}: secret {each['secret_id']} {sentences}")
        if "replaceable" in each["findings"]:
            names = ", ".join(each["federated_policies"])
            typer.echo(f"    {each['federated_tokens']} tokens by {names}")
    tokens = reported["tokens"]
    # A duration is one that has passed; all else is a time.
    span = f"in the last {since}" if since[-1] in "smhd" else f"since {since}"
    if tokens["total"]:
        typer.echo(
            f"{tokens['without_stored_secret']} of {tokens['total']} tokens {span} were"
            f" issued without a stored secret ({tokens['share']:.1%})"
        )
    else:
        typer.echo(f"no tokens were issued {span}")
