"""Every line of the log that a request causes has its id."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from broker import logs
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
