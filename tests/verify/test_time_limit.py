"""A request ends as a whole, through whatever it is connected."""

import socket

import pytest

from broker.time_limit import TimeLimit


class Stream:
    """What httpcore tells of a new connection."""

    def __init__(self, connected: socket.socket) -> None:
        self._connected = connected

    def get_extra_info(self, name: str) -> socket.socket:
        assert name == "socket"
        return self._connected


@pytest.mark.parametrize("by", ["connection", "socks"])
def test_a_connection_is_cut_when_the_time_is_over(by: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, TimeLimit(0.05) as limit:
        limit(f"{by}.connect_tcp.started", {})
        limit(f"{by}.connect_tcp.complete", {"return_value": Stream(ours)})
        theirs.settimeout(10)
        assert theirs.recv(1) == b""
        assert ours.recv(1) == b""
    assert limit.is_over


def test_one_that_is_made_too_late_is_cut_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, TimeLimit(0) as limit:
        limit._timer.join(timeout=10)
        limit("connection.connect_tcp.complete", {"return_value": Stream(ours)})
        assert ours.recv(1) == b""
