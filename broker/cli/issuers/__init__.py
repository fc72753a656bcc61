"""`broker issuers`: the issuers of the configured policy files."""

import typer

from broker.cli.issuers import check_command

app = typer.Typer(
    help="Try whether the keys of the trusted issuers can be fetched.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _issuers() -> None:
    """Keep `check` a command of its own while there is no other."""


app.command("check")(check_command.check)
