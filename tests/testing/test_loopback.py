import secrets
import socket
from itertools import chain, repeat

import pytest

from broker.testing.loopback import (
    NotLoopback,
    base_url,
    free_port,
    listen_on,
    require_loopback_url,
    split_listen,
)


@pytest.mark.parametrize(
    ("listen", "parts"),
    [
        ("127.0.0.1:8081", ("127.0.0.1", 8081)),
        ("127.8.8.8:0", ("127.8.8.8", 0)),
        ("[::1]:8081", ("::1", 8081)),
        ("localhost:8081", ("localhost", 8081)),
    ],
)
def test_a_loopback_address_is_taken_apart(listen: str, parts: tuple[str, int]) -> None:
    assert parts == split_listen(listen)


@pytest.mark.parametrize(
    "listen",
    [
        "0.0.0.0:8081", "[::]:8081", "10.0.0.1:8081", "example.com:8081", "localhost.example:1",
        ":8081", "8081", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000",
        "127.0.0.1:٣", "::1:8081", "127.1:80", "2130706433:80", "0x7f.1:80", "",
    ],
)  # fmt: skip
def test_any_other_address_is_refused(listen: str) -> None:
    with pytest.raises(NotLoopback):
        split_listen(listen)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8081", "http://localhost", "http://[::1]:1/ci"])
def test_a_loopback_url_is_kept_without_its_slash(url: str) -> None:
    assert url == require_loopback_url(f"{url}/")


@pytest.mark.parametrize(
    "url",
    [
        "https://token.actions.githubusercontent.com", "http://10.0.0.1:8081", "http://0.0.0.0:1",
        "http://127.0.0.1.example.com", "http://127.0.0.1@example.com", "http://a@127.0.0.1",
        "ftp://127.0.0.1", "https://127.0.0.1", "http://127.0.0.1?x", "http://127.0.0.1#x",
        "http://", "http://[::1", "http://127.0.0.1:99999", "127.0.0.1:8081", "",
    ],
)  # fmt: skip
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(NotLoopback):
        require_loopback_url(url)


def test_a_free_port_is_found_and_connections_wait() -> None:
    with listen_on("127.0.0.1", 0) as bound:
        host, port = bound.getsockname()
        assert base_url(bound) == f"http://127.0.0.1:{port}"
        with socket.create_connection((host, port), timeout=5):
            pass


def test_a_port_for_later_is_none_that_the_system_gives_to_others() -> None:
    with listen_on("127.0.0.1", free_port()) as bound, listen_on("127.0.0.1", 0) as other:
        assert bound.getsockname()[1] < 32_000 < other.getsockname()[1]


def test_a_taken_port_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen_on("127.0.0.1", free_port()) as bound:
        taken = bound.getsockname()[1]
        drawn = chain([taken - 10_000] * 2, map(secrets.randbelow, repeat(20_000)))
        monkeypatch.setattr(secrets, "randbelow", lambda _: next(drawn))
        assert free_port() != taken


def test_a_host_that_leads_elsewhere_is_not_bound() -> None:
    with pytest.raises(NotLoopback, match=r"'0\.0\.0\.0'"):
        listen_on("0.0.0.0", 0)


def test_a_taken_port_is_an_error() -> None:
    with listen_on("127.0.0.1", 0) as bound, pytest.raises(OSError, match="in use"):
        listen_on("127.0.0.1", bound.getsockname()[1])
