"""Row 142: whoever belongs to an organization reads the audit of its own accounts alone."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.client_secrets import an_account, ask, change, give
from tests.http.operators import OPERATORS, bearer, get
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

LOGS = "/api/v1/audit-logs"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), OPERATORS) as running:
        assert running.exchange(running.github_token()).status_code == 200
        assert running.exchange(running.github_token(ref="refs/heads/x")).status_code == 400
        for account in ("org-admin", "other-admin", "auditor"):
            bearer(running, account)
        yield running


def accounts(broker: RunningBroker, account: str, **query: Any) -> set[str | None]:
    answer = get(broker, account, LOGS, **query)
    assert answer.status_code == 200, answer.text
    return {event["service_account"] for event in answer.json()["items"]}


def test_only_events_of_its_own_accounts_are_seen(broker: RunningBroker) -> None:
    # Other tests make accounts of this organization.
    assert accounts(broker, "org-admin") >= {"deploy-web", "org-admin"}
    assert accounts(broker, "org-admin").isdisjoint({None, "auditor", "other-admin"})
    assert accounts(broker, "other-admin") == {"other-admin"}
    # Refusals have no account, and administrative events concern everybody.
    assert accounts(broker, "auditor") > {None, "deploy-web", "other-admin"}


@pytest.mark.parametrize(
    "query",
    [
        {"service_account_id": "deploy-web"},
        {"service_account_id": "auditor"},
        {"outcome": "refused"},
        {"type": "key.created"},
        {"policy": "octo-main"},
        {"policy": "as-auditor"},
    ],
)
def test_no_filter_leads_to_the_events_of_others(
    broker: RunningBroker, query: dict[str, str]
) -> None:
    assert accounts(broker, "auditor", **query)
    assert accounts(broker, "other-admin", **query) == set()


def test_a_decision_of_others_is_not_found(broker: RunningBroker) -> None:
    [event] = get(broker, "auditor", LOGS, service_account_id="deploy-web").json()["items"]

    assert accounts(broker, "org-admin", decision_id=event["id"]) == {"deploy-web"}
    assert accounts(broker, "other-admin", decision_id=event["id"]) == set()


def test_events_of_accounts_that_were_made_and_deleted_are_its_own_too(
    broker: RunningBroker,
) -> None:
    account = an_account(organization="octo-org")
    ask(broker, account.client_id, give(broker, account), audience="no-such")
    change(broker, account, deleted_at=broker.clock.now())
    of_it = {"service_account_id": account.client_id}

    assert accounts(broker, "org-admin", **of_it) == {account.client_id}
    assert accounts(broker, "other-admin", **of_it) == set()


def test_a_cursor_of_others_leads_nowhere_else(broker: RunningBroker) -> None:
    page = get(broker, "auditor", LOGS, limit=1).json()

    assert accounts(broker, "other-admin", cursor=page["next_cursor"]) <= {"other-admin"}


def test_the_chain_of_all_is_out_of_its_reach(broker: RunningBroker) -> None:
    answer = broker.request("POST", f"{LOGS}/verify", headers=bearer(broker, "org-admin"))

    assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
