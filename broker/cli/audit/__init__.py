"""`broker audit`: the events on record, beside a running broker or without one."""

import typer

from broker.cli.audit import (
    erase_command,
    explain_command,
    export_command,
    head_command,
    list_command,
    verify_command,
)

app = typer.Typer(
    help="Search, export and verify the audit events of the configured store.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("list")(list_command.list_events)
app.command("explain")(explain_command.explain)
app.command("export")(export_command.export)
app.command("verify")(verify_command.verify)
app.command("head")(head_command.head)
app.command("erase-claims")(erase_command.erase_claims)
