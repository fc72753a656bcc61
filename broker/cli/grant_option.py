"""The option that says what an account may do: scopes of a service."""

from collections.abc import Sequence
from typing import Annotated

import typer

from broker.cli.endings import fail

Grant = Annotated[
    list[str] | None,
    typer.Option(
        "--grant",
        metavar="SERVICE=SCOPE,…",
        help="Scopes of a service, or nothing behind the `=` for one without; repeatable.",
    ),
]


def grants_said(texts: Sequence[str] | None) -> dict[str, list[str]] | None:
    """Read grants, scopes by service. Ends the command when one is not understood."""
    if texts is None:
        return None
    grants: dict[str, list[str]] = {}
    for text in texts:
        service, equals, scopes = text.partition("=")
        if not equals or not service:
            fail(f"--grant: '{text}' is not SERVICE=SCOPE,…; write `--grant broker='broker:*'`")
        grants.setdefault(service, []).extend(each for each in scopes.split(",") if each)
    return grants
