"""`broker serve`: the server."""

from pathlib import Path
from typing import Annotated

import typer

from broker.cli.endings import fail, server_extra


def serve(
    config: Annotated[
        Path | None,
        typer.Option(help="The configuration; without it ./broker.yaml, if present."),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where to listen, instead of the configured place."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="How many processes serve.")] = 1,
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

    if workers > 1:
        fail("--workers: only one process serves for now; leave the option out")
    if dev:
        _refuse_unless_loopback(dev_listen)
    try:
        with server_extra("serve"):
            from broker import bootstrap

            bootstrap.serve(config=config, listen=listen, dev=dev, dev_listen=dev_listen, data=data)
    except ConfigurationError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(2) from None


def _refuse_unless_loopback(dev_listen: str) -> None:
    from broker.testing.loopback import NotLoopback, split_listen

    try:
        split_listen(dev_listen)
    except NotLoopback as error:
        fail(f"--dev-listen: {error}")
