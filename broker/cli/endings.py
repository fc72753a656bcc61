"""How a command ends when it cannot do its work: one message on stderr, one exit code."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import typer

USAGE: Final = 2
"""The command or its configuration is wrong; nothing was done."""


def fail(message: str, code: int = USAGE) -> NoReturn:
    """End the command with a message on stderr."""
    typer.echo(f"broker: {message}", err=True)
    raise typer.Exit(code)


@contextmanager
def server_extra(command: str) -> Iterator[None]:
    """Say which extra to install when a server package is missing inside the context."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        # A module of our own that is missing is a fault, not a missing extra.
        if missing in ("", "broker"):
            raise
        fail(
            f"'{command}' needs the extra 'server' (there is no '{missing}' here): "
            "pip install '.[server]'"
        )


@contextmanager
def told_plainly() -> Iterator[None]:
    """End the command with what is wrong, when the store or the configuration cannot be used."""
    from broker.core.errors import ConfigurationError, Unavailable

    try:
        yield
    except ConfigurationError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(USAGE) from None
    except Unavailable as error:
        fail(error.description)
