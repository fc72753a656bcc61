"""The options that the commands share, and how their answer is written."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from broker.cli.endings import fail
from broker.cli.terminal import ascii_only, put

if TYPE_CHECKING:
    from broker.core.access.review import AccessReview

SINCE: Final = "90d"

Since = Annotated[
    str, typer.Option(metavar="TIME", help="Look for uses from then on: a date, or 90d ago.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Do not ask the configured store.")]
PolicyFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--policies",
        metavar="PATH",
        help="Policy files and folders, may be repeated; without one the configured folder.",
        show_default=False,
    ),
]
Form = Literal["text", "csv", "json"]
FormOption = Annotated[
    Form | None, typer.Option("--format", help="text, csv for a spreadsheet, or json.")
]


def form_of(form: Form | None, *, as_json: bool) -> Form:
    """Choose how to write; end the command when two ways are asked for."""
    if as_json and form not in (None, "json"):
        fail(f"--json and --format {form} contradict each other")
    return "json" if as_json else form or "text"


def write(review: "AccessReview", form: Form) -> None:
    """Print a review."""
    from broker.core.access import review_csv, review_text

    if form == "json":
        typer.echo(json.dumps(review.as_json()))
    elif form == "csv":
        for line in review_csv.render(review):
            put(line)
    else:
        typer.echo(review_text.render(review, ascii_only=ascii_only()), nl=False)
