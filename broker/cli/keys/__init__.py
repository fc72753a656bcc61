"""`broker keys`: the broker's own signing keys, on the configured store."""

import typer

from broker.cli.keys import (
    list_command,
    publish_command,
    retire_command,
    rewrap_command,
    rotate_command,
)

app = typer.Typer(
    help="List, publish, rotate and retire the broker's signing keys; change the master key.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("list")(list_command.list_keys)
app.command("publish")(publish_command.publish)
app.command("rotate")(rotate_command.rotate)
# A key id may begin with a hyphen.
app.command("retire", context_settings={"ignore_unknown_options": True})(retire_command.retire)
app.command("rewrap")(rewrap_command.rewrap)
