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

import structlog
from structlog.typing import EventDict, WrappedLogger

MAX_TEXT: Final = 16_384
MAX_ITEMS: Final = 100
MAX_DEPTH: Final = 6

# Every fixed member, in the order in which a line shows them; what a record adds follows.
_FIXED: Final = ("time", "level", "logger", "message")


def configure(stream: TextIO, level: int = logging.INFO) -> None:
    """Send the records of every logger, and Python's warnings, to a stream.

    Replaces what was configured before. Members of a line: `time` (RFC 3339, UTC), `level`,
    `logger`, `message`, whatever `extra` and the bound context variables of structlog add, and
    `exception` with the traceback.
    """
    handler = JsonLines(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                _name_message,
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.ExtraAdder(),
            ],
            processors=[
                _fix_members,
                structlog.processors.format_exc_info,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _render,
            ],
        )
    )
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
    # It would log the whole URL of every fetch.
    logging.getLogger("httpx").setLevel(logging.WARNING)


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


def _name_message(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take the name `event` from the message: `extra` may hold one, never a `message`."""
    event["message"] = event.pop("event")
    return event


def _fix_members(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put the fixed members over whatever a record brings under the same names."""
    record: logging.LogRecord = event["_record"]
    # Uvicorn's copy of the message with terminal colours.
    event.pop("color_message", None)
    event["time"] = _rfc3339(record.created)
    event["level"] = record.levelname.lower()
    event["logger"] = record.name
    return event


def _rfc3339(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    fixed = {name: event[name] for name in _FIXED}
    added = {name: event[name] for name in sorted(event) if name not in _FIXED}
    return _line(fixed | added)


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
