"""A token or key of an account that may call from some networks alone is used from another one."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from tests.client_secrets import ask
from tests.registry_api import OPERATORS, PATH, calling
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

WITHIN = ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::7", "198.51.100.1, 192.0.2.7")
ELSEWHERE = ("198.51.100.7", "::ffff:198.51.100.7", "2001:db9::7", "192.0.2.7, 198.51.100.7", "x")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    folder = tmp_path_factory.mktemp("elsewhere")
    with special_broker(folder, OPERATORS, trusted_proxies=(ip_network("127.0.0.1"),)) as running:
        yield running


@pytest.fixture(scope="module")
def bound(broker: RunningBroker) -> dict[str, Any]:
    return calling(broker, "admin").create(
        grants={"broker": ["broker:accounts:read"]},
        allowed_networks=["192.0.2.0/24", "2001:db8::/32"],
    )


def listed(broker: RunningBroker, credential: str, forwarded_for: str) -> int:
    headers = {"Authorization": f"Bearer {credential}", "X-Forwarded-For": forwarded_for}
    return broker.request("GET", PATH, headers=headers).status_code


def test_a_key_counts_within_the_networks_alone(
    broker: RunningBroker, bound: dict[str, Any]
) -> None:
    assert {listed(broker, bound["api_key"], each) for each in WITHIN} == {200}
    assert {listed(broker, bound["api_key"], each) for each in ELSEWHERE} == {401}


def test_so_does_a_token_that_was_got_within_them(
    broker: RunningBroker, bound: dict[str, Any]
) -> None:
    fields = {"grant_type": "client_credentials", "audience": "broker"}
    credentials = {"client_id": bound["id"], "client_secret": bound["client_secret"]}
    answer = broker.post(fields | credentials, headers={"X-Forwarded-For": WITHIN[0]})
    token = answer.json()["access_token"]

    assert {listed(broker, token, each) for each in WITHIN} == {200}
    assert {listed(broker, token, each) for each in ELSEWHERE} == {401}


def test_none_is_given_elsewhere(broker: RunningBroker, bound: dict[str, Any]) -> None:
    answer = ask(broker, bound["id"], bound["client_secret"], audience="broker")

    assert answer.json()["reason"] == "client_unknown_or_bad_secret"
