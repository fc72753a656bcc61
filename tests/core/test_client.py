"""Which client a secret or assertion proves, and from where."""

import pytest

from broker.core.client import Client, is_within, live_account
from broker.core.policy import PolicySet, ServiceAccount
from tests.client_secrets import an_account

EMPTY = PolicySet({}, {}, {}, {})
WEB = ServiceAccount("web", {})


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("192.0.2.1", True),
        ("::ffff:192.0.2.1", True),
        ("2001:db8::1", True),
        ("192.0.3.1", False),
        ("::ffff:192.0.3.1", False),
        ("2001:db9::1", False),
        ("", False),
        (None, False),
        ("192.0.2.1, 10.0.0.1", False),
        ("localhost", False),
    ],
)
def test_an_address_is_within_a_network_or_nowhere(address: str | None, inside: bool) -> None:
    assert is_within(address, ("192.0.2.0/24", "2001:db8::/32")) is inside


def test_an_account_without_networks_may_call_from_anywhere() -> None:
    account = an_account()

    for address in ("192.0.2.1", None):
        live = live_account(account.client_id, account, None, EMPTY, address, 0.0)
        assert live is not None
        assert live.incarnation == account.incarnation


def test_the_audit_names_the_secret_or_the_key() -> None:
    assert Client(WEB, secret_id="s-1").credential == "secret s-1"
    assert Client(WEB, key_id="key-1").credential == "key key-1"
