"""Who is calling: `X-Forwarded-For` counts as far as trusted proxies wrote it."""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from broker.http.caller import caller_of, client_address
from tests.http.asgi import a_scope
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("127.0.0.1/32")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.7", [], "192.0.2.7"),
        ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3,10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, , 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["198.51.100.1:443"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["fe80::7%" + "x" * 60_000], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, fd00::7%eth0"], "10.0.0.1"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("2001:db8::1", ["198.51.100.1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["198.51.100.1, ::ffff:10.0.0.2"], "198.51.100.1"),
        ("::ffff:192.0.2.7", ["198.51.100.1"], "::ffff:192.0.2.7"),
        ("not an address", ["198.51.100.1"], "not an address"),
        (None, ["198.51.100.1"], None),
    ],
)
def test_the_address_is_what_the_last_trusted_proxy_saw(
    peer: str | None, forwarded: list[str], address: str | None
) -> None:
    assert client_address(peer, forwarded, PROXIES) == address


def test_a_socket_without_peer_has_no_address() -> None:
    caller = caller_of(a_scope(client=None, state={"request_id": "r"}), PROXIES)

    assert (caller.request_id, caller.client_address) == ("r", None)


@pytest.fixture(scope="module")
def behind_a_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker that trusts whatever runs on this machine."""
    proxies = (ip_network("127.0.0.1/32"),)
    folder = tmp_path_factory.mktemp("broker")
    with special_broker(folder, trusted_proxies=proxies) as broker:
        yield broker


def recorded_address(broker: RunningBroker, headers: dict[str, str]) -> str:
    answer = broker.post(
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": broker.github_token(),
            "audience": "deploy-api",
        },
        headers=headers,
    )
    (event,) = (e for e in broker.events() if e["token_id"] == answer.json()["token_id"])
    address: str = event["client_address"]
    return address


def test_behind_a_trusted_proxy_the_record_names_its_client(behind_a_proxy: RunningBroker) -> None:
    headers = {"x-forwarded-for": "203.0.113.9, 198.51.100.1", "x-real-ip": "203.0.113.10"}

    assert recorded_address(behind_a_proxy, headers) == "198.51.100.1"


def test_nobody_else_is_believed(broker: RunningBroker) -> None:
    for name in ("x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip"):
        assert recorded_address(broker, {name: "198.51.100.1"}) == "127.0.0.1"
