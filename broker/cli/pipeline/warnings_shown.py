"""What the client warns of: on stderr for people, nowhere for programs that read both streams."""

import logging
import sys


class _OnStderr(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"broker: {record.getMessage()}\n")


def show_warnings(*, wanted: bool) -> None:
    """Say where warnings of the client go, for the rest of the command."""
    client = logging.getLogger("broker.client")
    client.propagate = False
    client.handlers = [_OnStderr() if wanted else logging.NullHandler()]
