"""From where the secret of an account may be used."""

import pytest

from broker.core.client import is_within

NETWORKS = ("192.0.2.0/24", "2001:db8::/32")


@pytest.mark.parametrize(
    ("address", "within"),
    [
        ("192.0.2.7", True),
        ("192.0.3.7", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("::ffff:192.0.2.7", True),
        (None, False),
        ("", False),
        ("somewhere", False),
    ],
)
def test_an_address_lies_within_or_it_does_not(address: str | None, within: bool) -> None:
    assert is_within(address, NETWORKS) is within
