"""`broker store`: the whole configured store, taken elsewhere and brought back."""

import typer

from broker.cli.store import backup_command, copy_command, restore_command

app = typer.Typer(
    help="Back up the configured store, restore it, or copy it to another place.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("backup")(backup_command.backup)
app.command("restore")(restore_command.restore)
app.command("copy")(copy_command.copy)
