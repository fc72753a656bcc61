"""The options that commands of several kinds share."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The configuration; without it ./broker.yaml, if present."),
]
Data = Annotated[
    Path, typer.Option(help="The folder of the store and the keys, if not configured.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
