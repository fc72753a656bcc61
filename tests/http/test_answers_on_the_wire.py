"""Answers as they leave: at once, or as ASGI sends them when the connection asks for that."""

import json
import re
from collections.abc import Sequence

import pytest

from tests.raw_http import send_raw
from tests.running_broker import RunningBroker

GET = b"GET %b HTTP/1.1\r\nHost: broker\r\nX-Request-Id: %b\r\n"
LAST = b"Connection: close\r\n\r\n"
PLACES = (b"/healthz", b"/oauth/token", b"/nowhere")


def answers(received: bytes) -> list[tuple[bytes, dict[bytes, bytes], bytes]]:
    """The status line, the headers and the body of each answer in turn."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines)
        assert len(headers) == len(lines)
        length = int(headers[b"content-length"])
        found.append((status, headers, rest[:length]))
        received = rest[length:]
    return found


def requests(places: Sequence[bytes]) -> bytes:
    begun = [GET % (place, b"%d" % number) for number, place in enumerate(places)]
    return b"\r\n".join(begun) + LAST


def test_requests_that_come_together_are_answered_in_turn(broker: RunningBroker) -> None:
    places = [*PLACES, *PLACES]

    found = answers(send_raw(broker, requests(places)))

    assert [headers[b"x-request-id"] for _, headers, _ in found] == [
        b"%d" % number for number in range(len(places))
    ]
    assert [status for status, _, _ in found] == [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 405 Method Not Allowed",
        b"HTTP/1.1 404 Not Found",
    ] * 2


@pytest.mark.parametrize("place", PLACES)
def test_an_answer_is_the_same_whether_the_connection_goes_on_or_ends(
    broker: RunningBroker, place: bytes
) -> None:
    kept, ended = (
        answers(send_raw(broker, request))[0]
        for request in (requests([place, b"/healthz"]), requests([place]))
    )

    assert ended[1].pop(b"connection") == b"close"
    for _, headers, _ in (kept, ended):
        assert re.fullmatch(rb"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", headers.pop(b"date"))
    assert _without_decision(kept) == _without_decision(ended)


def test_an_older_client_gets_its_answer_and_the_end(broker: RunningBroker) -> None:
    received = send_raw(broker, b"GET /healthz HTTP/1.0\r\n\r\n")

    ((status, headers, body),) = answers(received)
    assert status == b"HTTP/1.1 200 OK"
    assert headers[b"connection"] == b"close"
    assert body


def test_head_is_answered_without_a_body(broker: RunningBroker) -> None:
    received = send_raw(broker, b"HEAD /healthz HTTP/1.1\r\nHost: broker\r\n" + LAST)

    assert received.endswith(b"\r\n\r\n")
    assert received.count(b"\r\n\r\n") == 1


def _without_decision(
    answer: tuple[bytes, dict[bytes, bytes], bytes],
) -> tuple[bytes, dict[bytes, bytes], bytes]:
    status, headers, body = answer
    return status, headers, re.sub(rb'"(?:decision_id|error_uri)":"[^"]*"', b"", body)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"no request\r\n\r\n",
        b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: x\r\n" * 200 + b"\r\n",
    ],
    ids=["garbage", "two lengths", "too many headers"],
)
def test_what_cannot_be_read_is_answered_with_an_id_as_well(
    broker: RunningBroker, request_bytes: bytes
) -> None:
    [(status, headers, body)] = answers(send_raw(broker, request_bytes))

    assert status == b"HTTP/1.1 400 Bad Request"
    request_id = headers[b"x-request-id"].decode()
    assert len(request_id) == 36
    assert json.loads(body)["instance"] == f"#{request_id}"
    assert headers[b"x-content-type-options"] == b"nosniff"
