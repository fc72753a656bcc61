"""The commands of `broker`, on one screen."""

from typing import Annotated

import typer

from broker import __version__
from broker.cli import accounts, audit, dev, keys, policies, serve
from broker.cli.pipeline import credential_helper, exec_command, explain, revoke, token, whoami

app = typer.Typer(
    help="Exchange the ID token of a CI job for a short-lived service token.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables could show a secret.
    pretty_exceptions_enable=False,
    # Messages that wrap into boxes cannot be searched for.
    rich_markup_mode=None,
)

app.command("serve")(serve.serve)
app.command("token")(token.token)
app.command("exec")(exec_command.exec_)
app.command("whoami")(whoami.whoami)
app.command("explain")(explain.explain)
app.command("revoke")(revoke.revoke)
app.command("credential-helper")(credential_helper.credential_helper)
app.add_typer(policies.app, name="policies")
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")
app.add_typer(accounts.app, name="accounts")
app.add_typer(dev.app, name="dev")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"broker {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass
