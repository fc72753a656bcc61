import asyncio
import io
import json
import logging
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from broker import logs
from broker.core.secret_text import Secret

TOUCHED = (None, "uvicorn", "uvicorn.error", "uvicorn.access", "httpx")
log = logging.getLogger("broker.somewhere")


class Written(io.StringIO):
    """What was logged."""

    def lines(self) -> list[dict[str, Any]]:
        """Give the records; what was written is lines of printable ASCII, whatever they hold."""
        text = self.getvalue()
        assert text.isascii()
        assert text.isprintable() or text.endswith("\n")
        assert all(each.isprintable() for each in text.split("\n"))
        return [json.loads(each) for each in text.splitlines()]

    def line(self) -> dict[str, Any]:
        (only,) = self.lines()
        return only


@contextmanager
def logging_configured() -> Iterator[Written]:
    """Configure logging, and put everything back: pytest has handlers of its own."""
    loggers = [logging.getLogger(name) for name in TOUCHED]
    before = [(each.handlers[:], each.filters[:], each.level, each.propagate) for each in loggers]
    written = Written()
    logs.configure(written)
    try:
        yield written
    finally:
        logging.captureWarnings(capture=False)
        for logger, (handlers, filters, level, propagate) in zip(loggers, before, strict=True):
            logger.handlers[:], logger.filters[:] = handlers, filters
            logger.setLevel(level)
            logger.propagate = propagate


def test_a_record_is_one_json_object_on_one_line() -> None:
    with logging_configured() as written:
        log.info("policy set %s loaded", "9f", extra={"policies": 3, "issuer": "github"})

    line = written.line()
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "broker.somewhere",
        "message": "policy set 9f loaded",
        "policies": 3,
        "issuer": "github",
    }


def test_the_fixed_members_come_first() -> None:
    with logging_configured() as written:
        log.info("x", extra={"b": 1, "a": 2})

    assert list(written.line()) == ["time", "level", "logger", "message", "a", "b"]


def test_the_time_is_that_of_the_record_in_utc_with_milliseconds() -> None:
    record = log.makeRecord("broker", logging.INFO, "file", 1, "then", (), None)
    record.created = 1_767_225_600.25

    with logging_configured() as written:
        log.handle(record)

    assert written.line()["time"] == "2026-01-01T00:00:00.250Z"


@pytest.mark.parametrize(
    "hostile", ["\r\n{}", "\x1b[2J\x1b[31m", "\x85", "\u2028", "\u202e", "\x7f", "\x9b2J", "\ud800"]
)
def test_no_character_can_break_a_line_or_reach_a_terminal(hostile: str) -> None:
    """Attacks row 58."""
    with logging_configured() as written:
        log.warning("refused %s", hostile, extra={"ref": hostile, hostile: {hostile: [hostile]}})

    line = written.line()
    assert line["message"] == f"refused {hostile}"
    assert line["ref"] == hostile
    assert line[hostile] == {hostile: [hostile]}


@given(st.text(), st.text() | st.dictionaries(st.text(), st.floats() | st.binary() | st.text()))
def test_whatever_is_logged_is_one_line_of_json(message: str, extra: object) -> None:
    with logging_configured() as written:
        log.info("%s", message, extra={"extra": extra})

    assert len(written.lines()) == 1


def test_a_traceback_is_one_member() -> None:
    with logging_configured() as written:
        try:
            int("branch \x1b[31m\nfake: line")
        except ValueError:
            log.exception("failed")

    line = written.line()
    assert line["level"] == "error"
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("'branch \\x1b[31m\\nfake: line'")


def test_the_message_of_an_exception_cannot_break_the_line_either() -> None:
    with logging_configured() as written:
        log.error("failed", exc_info=RuntimeError("\x1b[31m\nfake"))

    assert written.line()["exception"] == "RuntimeError: \x1b[31m\nfake"


def test_a_very_long_text_is_cut_in_its_middle() -> None:
    with logging_configured() as written:
        log.info("%sz", "a" * 1_000_000)

    message = written.line()["message"]
    assert len(message) == logs.MAX_TEXT + 1
    assert message.endswith("z")


def test_of_very_many_items_the_first_are_shown() -> None:
    with logging_configured() as written:
        log.info("cut", extra={"many": list(range(10_000))})

    assert written.line()["many"] == list(range(logs.MAX_ITEMS))


def test_what_holds_itself_is_shown_to_a_certain_depth() -> None:
    endless: list[object] = []
    endless.append(endless)

    with logging_configured() as written:
        log.info("cut", extra={"endless": endless})

    assert "[[[[" in json.dumps(written.line()["endless"])


def test_a_value_that_json_lacks_is_shown_by_its_repr() -> None:
    with logging_configured() as written:
        log.info("odd", extra={"bytes": b"\x00", "secret": Secret("hunter2"), "ratio": 1e999})

    line = written.line()
    assert (line["bytes"], line["secret"], line["ratio"]) == ("b'\\x00'", "Secret(…)", "inf")


def test_a_record_cannot_replace_the_fixed_members() -> None:
    with logging_configured() as written:
        log.info("true", extra={"level": "x", "logger": "x", "time": "x", "event": "kept"})

    line = written.line()
    assert (line["level"], line["logger"], line["message"]) == ("info", log.name, "true")
    assert line["event"] == "kept"
    assert line["time"] != "x"


def test_debug_is_silent() -> None:
    with logging_configured() as written:
        log.debug("quiet")

    assert written.lines() == []


def test_a_record_that_cannot_be_formatted_is_said_without_its_content(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logging_configured() as written:
        log.info("%d tokens", "hunter2")

    line = written.line()
    assert line["level"] == "error"
    assert line["message"].startswith("a record of broker.somewhere (line ")
    assert "hunter2" not in str(line)
    assert capsys.readouterr() == ("", "")


def test_a_stream_that_is_gone_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_configured() as written:
        written.close()
        log.info("nobody reads this")

    assert capsys.readouterr() == ("", "")


def test_warnings_of_python_are_records() -> None:
    with logging_configured() as written:
        warnings.showwarning("old\nthing", DeprecationWarning, "file.py", 7)

    line = written.line()
    assert (line["level"], line["logger"]) == ("warning", "py.warnings")
    assert "DeprecationWarning: old\nthing" in line["message"]


async def test_uvicorn_writes_records_without_colours_and_queries() -> None:
    with logging_configured() as written, socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(Starlette(), log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with httpx.AsyncClient(timeout=60) as client:
            await client.get(f"http://127.0.0.1:{port}/a?client_secret=hunter2")
        server.should_exit = True
        await serving

    lines = written.lines()
    assert {each["logger"] for each in lines} == {"uvicorn.error", "uvicorn.access"}
    assert not any("color_message" in each for each in lines)
    (access,) = (each["message"] for each in lines if each["logger"] == "uvicorn.access")
    assert access.endswith('"GET /a HTTP/1.1" 404')


def test_handlers_that_uvicorn_brought_are_replaced() -> None:
    with logging_configured() as first:
        logger = logging.getLogger("uvicorn.error")
        logger.addHandler(logging.StreamHandler(first))
        logger.propagate = False
        second = Written()
        logs.configure(second)
        logger.info("once")

    assert first.lines() == []
    assert second.line()["message"] == "once"
