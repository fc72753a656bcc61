"""The options of the commands that read what a broker has on record."""

from typing import Annotated

import typer

Against = Annotated[
    str | None,
    typer.Option(
        metavar="AUDIT",
        help="What was decided: a JSON Lines export, - for stdin, or `store` for the"
        " configured store.",
    ),
]
Server = Annotated[
    str, typer.Option(metavar="URL", help="Ask the broker at this https URL instead.")
]
Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="From then on: a date (UTC), a time, or 30d."),
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Before then; as --since.")]
