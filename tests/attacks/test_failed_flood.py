"""Row 177: failures of one caller take nothing from others, behind whatever address."""

from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from broker.core.limits import Rate
from broker.grants.limit_table import MAX_KEYS, LimitTable
from broker.settings import RateLimitSettings
from tests.attacks.presenting import Present
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

FIVE_FAILURES = RateLimitSettings(client=None, address=None, failed=Rate(5, 60))
NAT = "203.0.113.7"


def forged(broker: RunningBroker) -> str:
    return broker.github_token()[:-40] + "A" * 40


def test_whoever_floods_a_shared_address_stops_no_good_token(
    tmp_path: Path, present: Present
) -> None:
    with special_broker(tmp_path, rate_limits=FIVE_FAILURES) as broker:
        told = [present(broker, forged(broker)).status_code for _ in range(50)]

        assert told == [400] * 5 + [429] * 45
        assert {present(broker, broker.github_token()).status_code for _ in range(10)} == {200}


def test_a_flood_of_refused_tokens_is_a_few_events(tmp_path: Path) -> None:
    with special_broker(tmp_path, rate_limits=FIVE_FAILURES) as broker:
        token = broker.github_token(ref="refs/heads/feature")
        told = [broker.exchange(token).json()["reason"] for _ in range(50)]

        assert told == ["no_policy_matched"] * 5 + ["rate_limited"] * 45
        events = broker.decisions()
        assert len(events) == 6
        assert [each["count"] for each in events if each["reason"] == "rate_limited"] == [45]


def test_one_tenant_uses_up_its_own_failures_alone(tmp_path: Path) -> None:
    with special_broker(tmp_path, rate_limits=FIVE_FAILURES) as broker:
        stranger = broker.github_token(repository="evil/repo", repository_id="666")
        for _ in range(20):
            broker.exchange(stranger)

        mine = broker.exchange(broker.github_token(ref="refs/heads/feature"))
        assert mine.json()["reason"] == "no_policy_matched"


def test_a_fresh_ipv6_address_per_try_is_the_same_caller(tmp_path: Path) -> None:
    proxies = (ip_network("127.0.0.1/32"),)
    with special_broker(tmp_path, rate_limits=FIVE_FAILURES, trusted_proxies=proxies) as broker:
        told = [
            from_address(broker, f"2001:db8:1:2:{number:x}::1").status_code for number in range(20)
        ]

        assert told == [400] * 5 + [429] * 15
        assert from_address(broker, "2001:db8:1:3::1").status_code == 400


@pytest.mark.parametrize("trusted", [(), ("198.51.100.1/32",)])
def test_a_forwarded_address_that_no_trusted_proxy_wrote_counts_for_nobody_else(
    tmp_path: Path, trusted: tuple[str, ...]
) -> None:
    proxies = tuple(ip_network(each) for each in trusted)
    with special_broker(tmp_path, rate_limits=FIVE_FAILURES, trusted_proxies=proxies) as broker:
        told = [from_address(broker, f"192.0.2.{number}").status_code for number in range(20)]

        assert told == [400] * 5 + [429] * 15


def test_who_writes_an_address_before_the_proxy_does_gains_nothing(tmp_path: Path) -> None:
    proxies = (ip_network("127.0.0.1/32"),)
    with special_broker(tmp_path, rate_limits=FIVE_FAILURES, trusted_proxies=proxies) as broker:
        told = [
            from_address(broker, f"192.0.2.{number}, {NAT}").status_code for number in range(20)
        ]

        assert told == [400] * 5 + [429] * 15


def from_address(broker: RunningBroker, forwarded: str) -> httpx.Response:
    """Ask for nothing good, as a proxy passes it on."""
    return broker.post({"grant_type": "x"}, headers={"X-Forwarded-For": forwarded})


def test_a_flood_of_addresses_fills_no_memory() -> None:
    class Nobody:
        processes = 1

        def ask(self, table: LimitTable, key: str) -> None:
            raise AssertionError("nobody is asked within the allowance")

    table = LimitTable("address", Rate(6000, 60), Nobody())  # type: ignore[arg-type]
    for number in range(3 * MAX_KEYS):
        table.ask(f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::/64", 0.0)

    assert len(table) <= MAX_KEYS
