"""How a body is read: within its bounds of size and time, or not at all."""

import asyncio
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from starlette.types import Message

from broker.core.errors import RequestRefused
from broker.http.answers import HttpRefused
from broker.http.parameters import (
    BODY_DEADLINE_SECONDS,
    MAX_BODY_BYTES,
    ClientDisconnected,
    read_parameters,
)
from tests.advancing_loop import advance, run
from tests.http.asgi import FORM, a_scope, receiving
from tests.raw_http import send_raw
from tests.running_broker import RunningBroker

HEADERS = b"Host: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"


async def test_a_body_may_come_in_pieces() -> None:
    parameters = await read_parameters(
        a_scope(), receiving(b"scope=deploy%3", b"Aread&audi", b"ence=a&audience=b"),
        json_allowed=False,
    )  # fmt: skip

    assert parameters == {"scope": ["deploy:read"], "audience": ["a", "b"]}


async def test_a_plus_is_a_space_and_an_empty_body_is_no_parameter() -> None:
    parameters = await read_parameters(a_scope(), receiving(b"scope=a+b%20c"), json_allowed=False)
    nothing = await read_parameters(a_scope(), receiving(), json_allowed=False)

    assert parameters == {"scope": ["a b c"]}
    assert nothing == {}


async def test_a_client_that_goes_away_is_not_answered(broker: RunningBroker) -> None:
    gone: Message = {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnected):
        await read_parameters(a_scope(), receiving(b"scope=", then=gone), json_allowed=False)


def test_the_endpoint_stays_silent_when_its_client_is_gone(broker: RunningBroker) -> None:
    before = len(broker.events())
    address = urlsplit(broker.url)
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        connection.sendall(b"POST /oauth/token HTTP/1.1\r\nContent-Length: 100\r\n" + HEADERS)

    # Whether the broker has noticed by then or not: there is nothing to put on record.
    assert broker.request("GET", "/healthz").status_code == 200
    assert len(broker.events()) == before


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Content-Length: +4\r\n",
        b"Content-Length : 4\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
    ],
)
def test_a_request_whose_end_could_be_read_in_two_ways_is_refused(
    broker: RunningBroker, framing: bytes
) -> None:
    second = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    answer = send_raw(
        broker, b"POST /oauth/token HTTP/1.1\r\n" + framing + HEADERS + b"0\r\n\r\n" + second
    )

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"keys" not in answer


@pytest.mark.parametrize("length", [b"65537", b"5000000000"])
async def test_a_length_over_the_bound_is_believed(length: bytes) -> None:
    async def nothing_is_read() -> Message:
        raise AssertionError

    scope = a_scope(headers=[FORM, (b"content-length", length)])
    with pytest.raises(HttpRefused) as caught:
        await read_parameters(scope, nothing_is_read, json_allowed=False)

    assert caught.value.status == 413


@pytest.mark.parametrize("length", [b"1", b"abc", b"-1", b""])
async def test_a_length_below_it_is_not(length: bytes) -> None:
    scope = a_scope(headers=[FORM, (b"content-length", length)])
    with pytest.raises(HttpRefused) as caught:
        await read_parameters(scope, receiving(b"x" * MAX_BODY_BYTES, b"x"), json_allowed=False)

    assert caught.value.status == 413


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def dawdle() -> Message:
        advance(BODY_DEADLINE_SECONDS)
        await asyncio.Event().wait()
        raise AssertionError

    async def read() -> HttpRefused:
        with pytest.raises(HttpRefused) as caught:
            await read_parameters(a_scope(), dawdle, json_allowed=False)
        return caught.value

    refusal = run(read())
    assert refusal.status == 408
    assert refusal.reason == "malformed_request"


def test_a_body_that_comes_byte_by_byte_is_not_either() -> None:
    async def trickle() -> Message:
        advance(BODY_DEADLINE_SECONDS / 4)
        await asyncio.sleep(0.001)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def read() -> int:
        with pytest.raises(HttpRefused) as caught:
            await read_parameters(a_scope(), trickle, json_allowed=False)
        return caught.value.status

    assert run(read()) == 408


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"text/plain")],
        [(FORM[0], FORM[1] + b"; charset=utf-7")],
        [FORM, FORM],
        [FORM, (b"content-encoding", b"gzip")],
    ],
    ids=["none", "another", "another charset", "two", "compressed"],
)
async def test_a_body_of_another_kind_is_not_read(headers: list[tuple[bytes, bytes]]) -> None:
    async def nothing_is_read() -> Message:
        raise AssertionError

    with pytest.raises(RequestRefused):
        await read_parameters(a_scope(headers=headers), nothing_is_read, json_allowed=True)


def test_a_size_without_end_is_answered_over_the_wire(broker: RunningBroker) -> None:
    def chunks() -> Iterator[bytes]:
        yield from (b"x" * 4096 for _ in range(17))

    answer = broker.request(
        "POST", "/oauth/token", content=chunks(),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )  # fmt: skip

    assert answer.status_code == 413
    assert answer.json()["error"] == "invalid_request"
