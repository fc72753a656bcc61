"""Every line of the log that a request causes has its id."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from broker import logs
from broker.http.answers import Answer
from broker.http.middleware import RequestEdge
from broker.request_id import REQUEST_ID
from tests.http.asgi import Sent, a_scope, receiving
from tests.running_broker import RunningBroker


@contextmanager
def logged() -> Iterator[list[dict[str, Any]]]:
    """Collect lines as they are written; nothing else of the logging is changed."""
    lines: list[dict[str, Any]] = []
    stream = io.StringIO()
    handler = logs.JsonLines(stream)
    handler.setFormatter(logs.JsonFormatter({}))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        lines += map(json.loads, stream.getvalue().splitlines())


def test_what_a_fetch_for_a_request_logs_has_its_id(own_broker: RunningBroker) -> None:
    own_broker.issuer_servers["github"].status = 500
    with logged() as lines:
        answer = own_broker.request(
            "POST",
            "/oauth/token",
            headers={"X-Request-Id": "job-17"},
            data={
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                "subject_token": own_broker.github_token(),
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            },
        )

    assert (answer.status_code, answer.headers["x-request-id"]) == (503, "job-17")
    [line] = [each for each in lines if "its keys were not fetched" in each["message"]]
    assert line["request_id"] == "job-17"


async def test_a_fault_is_one_line_with_the_id_of_its_request() -> None:
    async def failing(*_: object) -> None:
        raise RuntimeError("the fault\nitself")

    with logged() as lines:
        await RequestEdge(failing, lambda: "drawn-id", {})(a_scope(), receiving(), Sent().send)

    [line] = lines
    assert (line["message"], line["request_id"]) == ("a request failed", "drawn-id")
    assert line["exception"].endswith("RuntimeError: the fault\nitself")


def test_what_is_logged_outside_of_requests_has_none() -> None:
    assert REQUEST_ID.get() is None
    with logged() as lines:
        logging.getLogger("broker.somewhere").warning("by itself")

    assert [each for each in lines if "request_id" in each] == []


async def test_each_of_several_requests_at_once_has_its_own_also_from_threads() -> None:
    ids = iter(f"drawn-{number}" for number in range(5))
    barrier = asyncio.Barrier(5)

    async def logging_endpoint(_scope: object, _receive: object, send: Any) -> None:
        await barrier.wait()
        await asyncio.to_thread(logging.getLogger("broker.somewhere").warning, "from a thread")
        await asyncio.create_task(log_later())
        await Answer(204, b"")({"method": "GET"}, None, send)

    async def log_later() -> None:
        logging.getLogger("broker.somewhere").warning("from a task")

    edge = RequestEdge(logging_endpoint, lambda: next(ids), {})
    with logged() as lines:
        await asyncio.gather(*(edge(a_scope(), receiving(), Sent().send) for _ in range(5)))

    for words in ("from a thread", "from a task"):
        found = [each["request_id"] for each in lines if each["message"] == words]
        assert sorted(found) == [f"drawn-{number}" for number in range(5)]
    assert REQUEST_ID.get() is None


async def test_an_id_that_does_not_fit_is_in_no_line() -> None:
    async def failing(*_: object) -> None:
        raise RuntimeError

    hostile = b'x" injected'
    scope = a_scope(headers=[(b"x-request-id", hostile)])
    with logged() as lines:
        await asyncio.create_task(
            RequestEdge(failing, lambda: "drawn-id", {})(scope, receiving(), Sent().send)
        )

    [line] = lines
    assert line["request_id"] == "drawn-id"
    assert "injected" not in str(line)
