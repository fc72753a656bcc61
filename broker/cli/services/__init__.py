"""`broker services`: the permission catalogue of the policy files, and who trusts its tokens."""

import typer

from broker.cli.services import list_command, snippet_command

app = typer.Typer(
    help="Show the services of the policy files, and how to set up what takes their tokens.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("list")(list_command.list_services)
app.command("snippet")(snippet_command.snippet)
