"""`broker accounts`: service accounts and their secrets, on the configured store."""

import typer

from broker.cli.accounts import (
    change_commands,
    create_command,
    list_commands,
    report_command,
    secret_commands,
)

app = typer.Typer(
    help="Make, change and delete service accounts and their client secrets.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
secrets = typer.Typer(
    help="The client secrets of one account: several may be alive.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("create")(create_command.create)
app.command("list")(list_commands.list_accounts)
app.command("show")(list_commands.show)
app.command("update")(change_commands.update)
app.command("enable")(change_commands.enable)
app.command("disable")(change_commands.disable)
app.command("delete")(change_commands.delete)
app.command("report")(report_command.report)
app.add_typer(secrets, name="secret")

secrets.command("create")(secret_commands.create)
secrets.command("list")(secret_commands.list_secrets)
secrets.command("revoke")(secret_commands.revoke)
secrets.command("rotate")(secret_commands.rotate)
secrets.command("complete")(secret_commands.complete)
secrets.command("cancel")(secret_commands.cancel)
