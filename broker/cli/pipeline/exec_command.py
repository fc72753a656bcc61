"""`broker exec`: a command that has a service token for as long as it runs."""

import os
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated, Final, Self

import typer

from broker.cli.endings import fail
from broker.cli.pipeline.asking import Asked, Auth, source_of
from broker.cli.pipeline.cancelled import BY_SIGNAL, ENDING
from broker.cli.pipeline.options import (
    Audience,
    AuthOption,
    ClientSecretFile,
    IdTokenFile,
    IdTokenVariable,
    Scope,
    Service,
    ServiceAccount,
    Ttl,
    Url,
    told_and_ended,
)
from broker.cli.pipeline.warnings_shown import show_warnings
from broker.client.errors import BrokerTrouble, ClientError
from broker.client.formats.rendering import end_time
from broker.client.refusal import told
from broker.client.service_token import ServiceToken
from broker.client.token_cache import open_cache, write_private
from broker.client.token_source import TokenSource

_NOT_FOUND: Final = 127
_NOT_RUN: Final = 126
_SHORTEST_WAIT: Final = 1.0


def exec_(
    service: Service,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND…", help="What to run.")],
    *,
    url: Url = "",
    scope: Scope = "",
    ttl: Ttl = "",
    service_account: ServiceAccount = "",
    auth: AuthOption = Auth.OIDC,
    client_secret_file: ClientSecretFile = None,
    id_token_file: IdTokenFile = None,
    id_token_env: IdTokenVariable = "",
    audience: Audience = "",
) -> None:
    """Run a command with a service token, and end the token with it.

    It finds the token in BROKER_TOKEN, and in the file that BROKER_TOKEN_FILE names. The file is
    kept fresh; a variable of a running program cannot be.
    """
    show_warnings(wanted=True)
    asked = Asked(
        service, url, scope, ttl, service_account, auth, client_secret_file, id_token_file,
        id_token_env, audience, no_cache=True,
    )  # fmt: skip
    with told_and_ended():
        source = source_of(asked).source
        token = source.token()
    try:
        code = _run(command, source, token)
    except OSError as error:
        fail(f"the token file cannot be written: {error.strerror}", code=BrokerTrouble.exit_code)
    finally:
        _revoke(source)
    raise typer.Exit(code)


def _run(command: list[str], source: TokenSource, token: ServiceToken) -> int:
    cache = open_cache(os.environ)
    place = None if cache is None else cache.folder
    with (
        # First: from here on no signal leaves the file behind.
        _Forwarding() as forwarding,
        tempfile.TemporaryDirectory(prefix="exec-", dir=place) as folder,
    ):
        file = Path(folder) / "token"
        write_private(file, token.access_token)
        environment = os.environ | {
            "BROKER_TOKEN": token.access_token,
            "BROKER_TOKEN_EXPIRES_AT": end_time(token),
            "BROKER_TOKEN_FILE": str(file),
        }
        try:
            child = subprocess.Popen(command, env=environment)  # noqa: S603 - the caller's own
        except FileNotFoundError:
            fail(f"there is no command {command[0]}", code=_NOT_FOUND)
        except OSError as error:
            fail(f"{command[0]} cannot be run: {error.strerror}", code=_NOT_RUN)
        forwarding.to(child)
        over = threading.Event()
        fresh = threading.Thread(target=_keep_fresh, args=(source, file, over), daemon=True)
        fresh.start()
        code = child.wait()
        over.set()
        fresh.join()
    return code if code >= 0 else BY_SIGNAL - code


def _keep_fresh(source: TokenSource, file: Path, over: threading.Event) -> None:
    while not over.wait(max(source.renews_in(), _SHORTEST_WAIT)):
        try:
            write_private(file, source.token().access_token)
        except ClientError as error:
            typer.echo(f"broker: the token file is not fresh any more: {told(error)}", err=True)
            # What the broker's trouble is, a later try may better.
            if not isinstance(error, BrokerTrouble):
                return
        except OSError as error:
            typer.echo(f"broker: the token file cannot be written: {error.strerror}", err=True)


def _revoke(source: TokenSource) -> None:
    """End the token; what it was for is done, so that a failure is a warning."""
    try:
        source.revoke()
    except ClientError as error:
        typer.echo(f"broker: the token was not revoked: {told(error)}", err=True)


class _Forwarding:
    """Hands the signals that end a command on to it, and waits for what it makes of them."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._before: dict[int, object] = {}

    def to(self, child: subprocess.Popen[bytes]) -> None:
        """Name the command, and hand on what came before it was there."""
        self._child = child
        for number in self._early:
            child.send_signal(number)

    def __enter__(self) -> Self:
        for number in ENDING:
            self._before[number] = signal.signal(number, self._forward)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        if self._child is None:
            self._early.append(number)
        else:
            self._child.send_signal(number)
