"""Which client a secret or an assertion proves."""

from broker.core.blocks import NO_BLOCKS
from broker.core.client import Client, decide, describe, live_account
from broker.core.decision import DecisionRequest, Deny
from broker.core.errors import Reason
from broker.core.policy import PolicySet, ServiceAccount
from tests.client_secrets import an_account

EMPTY = PolicySet({}, {}, {}, {})
WEB = ServiceAccount("web", {})


def test_an_account_without_networks_may_call_from_anywhere() -> None:
    account = an_account()

    for address in ("192.0.2.1", None):
        live = live_account(account.client_id, account, None, EMPTY, address, 0.0)
        assert live is not None
        assert live.incarnation == account.incarnation


def test_the_audit_names_the_secret_or_the_key() -> None:
    assert Client(WEB, secret_id="s-1").credential == "secret s-1"
    assert Client(WEB, key_id="key-1").credential == "key key-1"


def test_a_service_that_a_reload_took_away_meanwhile_is_unknown() -> None:
    account = ServiceAccount("web", {"gone": frozenset()})

    for targets in ((), ("gone",)):
        request = DecisionRequest(targets)
        decision = decide(account, request, EMPTY, NO_BLOCKS, 0.0)
        assert isinstance(decision, Deny)
        assert decision.reason is Reason.TARGET_UNKNOWN
        assert describe(decision, request, account).endswith("of this account, which has 'gone'")
