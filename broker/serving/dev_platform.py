"""The dev platform beside a broker: in a thread of its one process, or in a process of its own."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from broker.core.errors import ConfigurationError, Problem
from broker.workers.forking import fork

if TYPE_CHECKING:
    from broker.testing.dev_platform import DevPlatform


@contextmanager
def in_thread(listen: str, data: Path) -> Iterator[dict[str, str]]:
    """Run the dev platform and give its issuers' URLs by name. Raises `ConfigurationError`."""
    from broker.testing.issuer_server import serving  # noqa: PLC0415

    with _opened(listen, data) as (platform, bound), serving(platform.app(), bound):
        yield _issuers(platform)


@contextmanager
def in_process(listen: str, data: Path) -> Iterator[dict[str, str]]:
    """Do the same without a thread in this process, from which others are to be forked."""
    from broker.testing.issuer_server import serving  # noqa: PLC0415

    with _opened(listen, data) as (platform, bound):
        ours, theirs = socket.socketpair()

        def run() -> int:
            ours.close()
            with serving(platform.app(), bound):
                # The end of the supervisor closes its end.
                theirs.recv(1)
            return 0

        process = fork(run)
        theirs.close()
        bound.close()
        try:
            yield _issuers(platform)
        finally:
            ours.close()
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(process, signal.SIGTERM)
                os.waitpid(process, 0)


@contextmanager
def _opened(listen: str, data: Path) -> "Iterator[tuple[DevPlatform, socket.socket]]":
    # Only here: nothing of it is loaded by a broker that is not for development.
    from broker.testing.dev_platform import DevKeyRefused, DevPlatform  # noqa: PLC0415
    from broker.testing.loopback import base_url, listen_on, split_listen  # noqa: PLC0415

    try:
        bound = listen_on(*split_listen(listen))
    except OSError as error:
        message = f"cannot listen on {listen}: {error.strerror}; choose another with --dev-listen"
        raise ConfigurationError([Problem("--dev-listen", 0, 0, message)]) from None
    with bound:
        try:
            platform = DevPlatform.open(base_url(bound), data / "dev")
        except DevKeyRefused as error:
            raise ConfigurationError([Problem("--data", 0, 0, str(error))]) from None
        yield platform, bound


def _issuers(platform: "DevPlatform") -> dict[str, str]:
    return {"dev-github": platform.github.url, "dev-gitlab": platform.gitlab.url}
