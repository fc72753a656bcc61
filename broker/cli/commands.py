"""Which commands there are, and where each is: imported when it is run, or when all are listed."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Annotated, Final

import typer

from broker import __version__

COMMANDS: Final[Mapping[str, str]] = {
    "serve": "broker.cli.serve:serve",
    "token": "broker.cli.pipeline.token:token",
    "exec": "broker.cli.pipeline.exec_command:exec_",
    "whoami": "broker.cli.pipeline.whoami:whoami",
    "explain": "broker.cli.pipeline.explain:explain",
    "revoke": "broker.cli.pipeline.revoke:revoke",
    "credential-helper": "broker.cli.pipeline.credential_helper:credential_helper",
    "policies": "broker.cli.policies:app",
    "audit": "broker.cli.audit:app",
    "keys": "broker.cli.keys:app",
    "accounts": "broker.cli.accounts:app",
    "access": "broker.cli.access:app",
    "issuers": "broker.cli.issuers:app",
    "services": "broker.cli.services:app",
    "store": "broker.cli.store:app",
    "dev": "broker.cli.dev:app",
}


def build(words: Sequence[str] = ()) -> typer.Typer:
    """Make the command line: of the one command that the words begin with, else of all.

    A pipeline waits for each command to start, and no command needs the imports of another.
    """
    app = typer.Typer(
        help="Exchange the ID token of a CI job for a short-lived service token.",
        no_args_is_help=True,
        add_completion=False,
        # A traceback with local variables could show a secret.
        pretty_exceptions_enable=False,
        # Messages that wrap into boxes cannot be searched for.
        rich_markup_mode=None,
    )
    app.callback()(_options)
    names = [words[0]] if words and words[0] in COMMANDS else list(COMMANDS)
    for name in names:
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"broker {__version__}")
        raise typer.Exit


def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass
