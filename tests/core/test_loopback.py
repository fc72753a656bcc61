import pytest

from broker.core.loopback import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.0.9", "::1"])
def test_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "::", "10.0.0.1", "::ffff:127.0.0.1", "localhost.example", "127.1", "[::1]"],
)
def test_nothing_else_is(host: str) -> None:
    assert not is_loopback(host)
