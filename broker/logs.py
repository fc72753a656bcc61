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
from typing import Any, Final, Protocol

from broker.request_id import REQUEST_ID
from broker.shared_output import PATIENCE_SECONDS, LineWriter, OutputLock

MAX_TEXT: Final = 16_384
MAX_ITEMS: Final = 100
MAX_DEPTH: Final = 6

# What Python itself keeps in a record, and uvicorn's copy of the message with terminal colours.
_OF_EVERY_RECORD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"color_message"}


class LineStream(Protocol):
    """Where lines go; each is written whole, its end included."""

    def write(self, line: str, /) -> object:
        """Write a line. Raises `OSError` or `ValueError`."""
        ...

    def flush(self) -> object:
        """Wait for nothing, or until the lines are written."""
        ...


def configure(
    stream: LineStream, level: int = logging.INFO, *, process: Mapping[str, Any] | None = None
) -> None:
    """Send the records of every logger, and Python's warnings, to a stream.

    Replaces what was configured before. Members of a line: `time` (RFC 3339, UTC), `level`,
    `logger`, `message`, those that tell the `process`, `request_id` of what a request causes,
    whatever `extra` adds, and `exception` with the traceback.
    """
    handler = JsonLines(stream)
    handler.setFormatter(JsonFormatter(process or {}))
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


class SharedLog:
    """The log on a descriptor that other processes write their logs to; for a process with threads.

    Nobody who logs ever waits: what nobody reads is dropped once too much of it waits.
    """

    def __init__(self, descriptor: int, lock: OutputLock) -> None:
        self._writer: LineWriter[str] = LineWriter(
            descriptor, _encoded, _given_up, name="log-lines", lock=lock
        )

    def write(self, line: str) -> None:
        """Write a line soon. Raises `OSError` when too many wait."""
        self._writer.put(line)

    def flush(self) -> None:
        """Wait for nothing."""

    def close(self) -> None:
        """Write what waits, unless nobody reads it."""
        self._writer.close()


class PatientLog:
    """The same for a process without threads, which waits for a reader, but only so long."""

    def __init__(self, descriptor: int, lock: OutputLock) -> None:
        self._descriptor = descriptor
        self._lock = lock

    def write(self, line: str) -> None:
        """Write a line. Raises `OSError` when nobody reads it."""
        with self._lock.held(patience=PATIENCE_SECONDS):
            self._lock.write(self._descriptor, _encoded(line), patience=PATIENCE_SECONDS)

    def flush(self) -> None:
        """Wait for nothing: it is written."""


class JsonLines(logging.StreamHandler[LineStream]):
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
    """Writes a record as one line of JSON; members that tell the process stand in every one."""

    def __init__(self, process: Mapping[str, Any]) -> None:
        super().__init__()
        self._process = process

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
            **self._process,
        }
        request_id = REQUEST_ID.get()
        if request_id is not None:
            fixed["request_id"] = request_id
        # A record cannot replace the fixed members by names of its own.
        return _line(fixed | {name: added[name] for name in sorted(added) if name not in fixed})


def _encoded(line: str) -> bytes:
    return line.encode("ascii", errors="backslashreplace")


def _given_up(_line: str) -> None:
    """Do without a line: there is nobody left to tell."""


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
