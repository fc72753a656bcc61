"""Logs: one JSON object per line, in ASCII, whatever a record holds.

Names, branches and header values that strangers chose end up in logs. None of them can begin a
line, move a cursor or turn text around (attacks row 58): everything beyond printable ASCII is
escaped, and what is very long is cut.
"""

import json
import logging
import math
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, TextIO

MAX_TEXT: Final = 16_384
MAX_ITEMS: Final = 100
MAX_DEPTH: Final = 6

# What Python itself keeps in a record, and uvicorn's copy of the message with terminal colours.
_OF_EVERY_RECORD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"color_message"}


def configure(stream: TextIO, level: int = logging.INFO) -> None:
    """Send the records of every logger, and Python's warnings, to a stream.

    Replaces what was configured before. Members of a line: `time` (RFC 3339, UTC), `level`,
    `logger`, `message`, whatever `extra` adds, and `exception` with the traceback.
    """
    handler = JsonLines(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    # Uvicorn's loggers keep their own handlers unless its `log_config` is None.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").addFilter(_without_query)
    # It would log the whole URL of every fetch, and the other one every change of a file.
    for name in ("httpx", "watchfiles"):
        logging.getLogger(name).setLevel(logging.WARNING)


class JsonLines(logging.StreamHandler[TextIO]):
    """Writes lines; a record that cannot be formatted becomes a line that says so."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Log the failure without the record's content, which the standard library would print."""
        failure = {
            "time": _rfc3339(record.created),
            "level": "error",
            "logger": __name__,
            "message": f"a record of {record.name} (line {record.lineno}) could not be logged",
        }
        try:
            self.stream.write(_line(failure) + self.terminator)
            self.flush()
        except (OSError, ValueError):
            # The stream itself is gone; there is nobody left to tell.
            return


def _without_query(record: logging.LogRecord) -> bool:
    """Cut the query off the path of an access record: it may hold what belongs into a body."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            each.partition("?")[0] if isinstance(each, str) else each for each in record.args
        )
    return True


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line, without its end."""
        added = {
            name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD
        }
        if record.exc_info:
            added["exception"] = self.formatException(record.exc_info)
        fixed = {
            "time": _rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        # A record cannot replace the fixed members by names of its own.
        return _line(fixed | {name: added[name] for name in sorted(added) if name not in fixed})


def _rfc3339(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _line(members: Mapping[str, Any]) -> str:
    text = json.dumps(_plain(members), ensure_ascii=True, separators=(",", ":"))
    # JSON leaves the one control character of ASCII beyond the letters as it is.
    return text.replace("\x7f", "\\u007f")


def _plain(value: object, depth: int = 0) -> object:
    """Reduce a value to what JSON has, within bounds."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return _cut(value)
    if depth < MAX_DEPTH:
        if isinstance(value, Mapping):
            members = islice(value.items(), MAX_ITEMS)
            return {_cut(str(name)): _plain(item, depth + 1) for name, item in members}
        if isinstance(value, Collection) and not isinstance(value, (bytes, bytearray)):
            return [_plain(item, depth + 1) for item in islice(value, MAX_ITEMS)]
    return _cut(repr(value))


def _cut(text: str) -> str:
    """Cut a long text in its middle: a traceback ends with what matters."""
    if len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2
    return f"{text[:half]}…{text[-half:]}"
