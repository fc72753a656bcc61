"""The options that the commands of a pipeline share, and how they end when there is no token."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from broker.cli.pipeline.asking import Auth
from broker.client.errors import ClientError
from broker.client.refusal import told


def _option(name: str, text: str, variable: str | None = None, **more: object) -> object:
    shown = text if variable is None else f"{text} [env var: {variable}]"
    return typer.Option(name, help=shown, envvar=variable, show_envvar=False, **more)  # type: ignore[arg-type]


Service = Annotated[
    str,
    typer.Argument(
        help="The service, by its name or its audience URI.",
        envvar="BROKER_SERVICE",
        show_envvar=False,
    ),
]
Url = Annotated[str, _option("--url", "The broker's https URL.", "BROKER_URL")]
Scope = Annotated[
    str, _option("--scope", "Scopes, joined by spaces; all there are, if left out.", "BROKER_SCOPE")
]
Ttl = Annotated[str, _option("--ttl", "How long the token should live: `10m`.", "BROKER_TTL")]
ServiceAccount = Annotated[
    str,
    _option(
        "--service-account", "The account to act as, where several fit.", "BROKER_SERVICE_ACCOUNT"
    ),
]
AuthOption = Annotated[Auth, _option("--auth", "Who asks.", "BROKER_AUTH")]
ClientSecretFile = Annotated[
    Path | None,
    _option(
        "--client-secret-file",
        "The secret of the account, with --auth client-secret; `-` for stdin.",
        "BROKER_CLIENT_SECRET_FILE",
        metavar="FILE",
    ),
]
IdTokenFile = Annotated[
    Path | None,
    _option(
        "--id-token-file", "The job's ID token in a file.", "BROKER_ID_TOKEN_FILE", metavar="FILE"
    ),
]
IdTokenVariable = Annotated[
    str, _option("--id-token-env", "The name of the variable with the ID token.", metavar="NAME")
]
Audience = Annotated[
    str, _option("--audience", "The audience of ID tokens; what the broker says, if left out.")
]
NoCache = Annotated[bool, _option("--no-cache", "Neither use a token of before nor keep this one.")]


@contextmanager
def told_and_ended() -> Iterator[None]:
    """End the command with what went wrong, and with the code that says what kind it is."""
    try:
        yield
    except ClientError as error:
        typer.echo(f"broker: {told(error)}", err=True)
        raise typer.Exit(error.exit_code) from None
