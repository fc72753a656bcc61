"""The whole command line, as tests and documentation look at it."""

from typing import Final

from broker.cli.commands import build

app: Final = build()
