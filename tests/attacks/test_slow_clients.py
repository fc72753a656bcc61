"""Row 138: clients that hold connections, and never say all that they began to say."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from broker.http.connections import (
    MAX_FRAMING_BYTES,
    MAX_HEADERS,
    MAX_PIPELINED,
    ConnectionLimits,
)
from tests.raw_http import send_raw
from tests.running_broker import RunningBroker
from tests.service_tokens import verified

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
CHUNKED = (
    b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
)


MORE_THAN_ANY_BUFFER = 128 * 1024 * 1024


class Impatient(RunningBroker):
    """Waits a moment for each client."""

    limits = ConnectionLimits(request_seconds=0.2, answer_seconds=0.2)


class Crowded(RunningBroker):
    """Has room for five clients."""

    limits = ConnectionLimits(connections=5)


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Serve a broker whose deadlines are short."""
    with Impatient(tmp_path_factory.mktemp("broker")).serving() as broker:
        yield broker


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Serve a broker that has room for few."""
    with Crowded(tmp_path_factory.mktemp("broker")).serving() as broker:
        yield broker


def connect(broker: RunningBroker) -> socket.socket:
    """Open a connection and say nothing yet."""
    address = urlsplit(broker.url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=30)


def flood(connection: socket.socket, data: bytes) -> None:
    """Send as much as no memory should hold, and read nothing."""
    for _ in range(MORE_THAN_ANY_BUFFER // len(data)):
        connection.sendall(data)


def trickle(connection: socket.socket) -> None:
    """Send a byte of a header whenever nothing came for a moment, until the connection ends."""
    connection.sendall(HEALTH + b"X-Slow: ")
    for _ in range(1000):
        try:
            if not connection.recv(1):
                raise ConnectionResetError
        except TimeoutError:
            connection.sendall(b"x")


def rest_of(connection: socket.socket) -> bytes:
    """Give all that comes until the broker ends the connection, however it does."""
    answer = bytearray()
    try:
        while received := connection.recv(65_536):
            answer += received
    except ConnectionResetError:
        pass
    return bytes(answer)


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"\r\n",
        b"GET /heal",
        HEALTH + b"X-Slow",
        b"POST /healthz HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
        CHUNKED.replace(b"oauth/token", b"nowhere") + b"5\r\nabc",
    ],
)
def test_a_request_that_never_ends_is_not_waited_for(
    impatient: RunningBroker, begun: bytes
) -> None:
    with connect(impatient) as connection:
        connection.sendall(begun)

        rest_of(connection)


def test_bytes_that_trickle_in_gain_no_time(impatient: RunningBroker) -> None:
    with connect(impatient) as connection:
        connection.settimeout(0.02)

        with pytest.raises(ConnectionError):
            trickle(connection)


def test_a_connection_that_is_kept_is_not_kept_for_ever(impatient: RunningBroker) -> None:
    answer = b""
    for _ in range(20):
        # On a machine that stands still for a moment, the request comes too late.
        with connect(impatient) as connection, suppress(ConnectionError):
            connection.sendall(HEALTH + b"\r\n")
            answer = rest_of(connection)
        if answer:
            break

    assert answer.startswith(b"HTTP/1.1 200 ")


def test_who_takes_no_answers_is_not_waited_for(impatient: RunningBroker) -> None:
    with connect(impatient) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

        with pytest.raises(ConnectionError):
            flood(connection, (HEALTH + b"\r\n") * MAX_PIPELINED)


def test_idle_connections_keep_nobody_out(crowded: RunningBroker) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(connect(crowded)) for _ in range(12)]
        halves = [stack.enter_context(connect(crowded)) for _ in range(6)]
        for half in halves:
            half.sendall(CHUNKED)

        verified(crowded, crowded.exchange(crowded.github_token()))

        assert rest_of(idle[0]) == b""


def test_a_full_house_says_so_in_json(tmp_path: Path) -> None:
    class Full(RunningBroker):
        limits = ConnectionLimits(connections=0)

    with Full(tmp_path).serving() as broker:
        answer = broker.exchange(broker.github_token())

    assert answer.status_code == 503
    assert answer.json()["error"] == "temporarily_unavailable"
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "endless",
    [HEALTH + b"X-Large: ", CHUNKED + b"1;", CHUNKED + b"0\r\nX-Trailer: "],
    ids=["a header", "the extension of a chunk", "a trailer"],
)
def test_what_is_no_body_is_bounded_too(live_broker: RunningBroker, endless: bytes) -> None:
    with connect(live_broker) as connection:
        connection.sendall(endless)
        with pytest.raises(ConnectionError):
            flood(connection, b"x" * MAX_FRAMING_BYTES)


@pytest.mark.parametrize(
    "many",
    [HEALTH + b"X: y\r\n" * MAX_HEADERS + b"\r\n", (HEALTH + b"\r\n") * (MAX_PIPELINED + 2)],
    ids=["headers", "requests at once"],
)
def test_many_small_things_are_refused(live_broker: RunningBroker, many: bytes) -> None:
    answer = send_raw(live_broker, many)

    assert b'"code":"INVALID_REQUEST"' in answer
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_trailer_is_no_header(live_broker: RunningBroker) -> None:
    answer = send_raw(
        live_broker,
        CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        + b"3\r\na=b\r\n0\r\nAuthorization: Basic YTpi\r\nX-Request-Id: of-a-trailer\r\n\r\n",
    )

    assert b"'grant_type' is required" in answer
    assert b"of-a-trailer" not in answer
