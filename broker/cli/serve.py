"""`broker serve`: the server."""

from pathlib import Path
from typing import Annotated, Final

import typer

from broker.cli.endings import fail, server_extra

MAX_WORKERS: Final = 64


def serve(
    config: Annotated[
        Path | None,
        typer.Option(help="The configuration; without it ./broker.yaml, if present."),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where to listen, instead of the configured place."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=MAX_WORKERS, help="How many processes serve.")
    ] = 1,
    dev: Annotated[
        bool,
        typer.Option(
            "--dev",
            help="Also run a fake GitHub and GitLab and trust them with policies/dev/; "
            "on loopback only.",
        ),
    ] = False,
    dev_listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the fake platforms listen.")
    ] = "127.0.0.1:8081",
    data: Annotated[
        Path, typer.Option(help="The folder of the store and the keys, if not configured.")
    ] = Path("data"),
) -> None:
    """Run the broker until it is stopped."""
    from broker.core.errors import ConfigurationError

    if dev:
        _refuse_unless_loopback(dev_listen)
    try:
        with server_extra("serve"):
            from broker import serving

            status = serving.serve(
                config=config,
                listen=listen,
                workers=workers,
                dev=dev,
                dev_listen=dev_listen,
                data=data,
            )
    except ConfigurationError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(status)


def _refuse_unless_loopback(dev_listen: str) -> None:
    from broker.testing.loopback import NotLoopback, split_listen

    try:
        split_listen(dev_listen)
    except NotLoopback as error:
        fail(f"--dev-listen: {error}")
