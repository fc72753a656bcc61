"""`broker access`: who can do what, and why."""

import typer

from broker.cli.access import review_command, what_can_command, who_can_command

app = typer.Typer(
    help="Tell who can do what, and why: for a review, of a service, of an account or a job.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("review")(review_command.review)
app.command("who-can")(who_can_command.who_can)
app.command("what-can")(what_can_command.what_can)
