"""Real OAuth clients from npm discover the broker, exchange a CI token and validate the answer."""

import time
from collections.abc import Iterator

import pytest

from broker.core.vocabulary import GRANT_JWT_BEARER, GRANT_TOKEN_EXCHANGE
from tests.interop.node import run_node
from tests.running_broker import RunningBroker

SERVICE = "deploy-api"
AUDIENCE = "https://deploy.example.com"
ACCOUNT = "deploy-web"


@pytest.fixture(scope="module")
def today_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Run a broker at the time that the clients' own clocks show."""
    folder = tmp_path_factory.mktemp("broker")
    with RunningBroker(folder, now=time.time()).serving() as broker:
        yield broker


@pytest.mark.parametrize("grant", [GRANT_TOKEN_EXCHANGE, GRANT_JWT_BEARER])
def test_openid_client_exchanges_and_verifies(today_broker: RunningBroker, grant: str) -> None:
    token = today_broker.github_token()

    told = run_node("openid_client.mjs", today_broker.url, SERVICE, ACCOUNT, grant, stdin=token)

    assert told["payload"]["aud"] == AUDIENCE
    assert told["payload"]["client_id"] == ACCOUNT
    assert told["answer"]["service_account"] == ACCOUNT


def test_openid_client_reads_why_a_token_was_refused(today_broker: RunningBroker) -> None:
    token = today_broker.github_token(event_name="pull_request")

    told = run_node(
        "openid_client.mjs", today_broker.url, SERVICE, ACCOUNT, GRANT_TOKEN_EXCHANGE, stdin=token
    )

    assert (told["status"], told["error"]) == (400, "invalid_request")
    assert told["cause"]["reason"] == "no_policy_matched"
    decision_id = told["cause"]["decision_id"]
    assert told["cause"]["error_uri"] == f"{today_broker.url}/d/{decision_id}"
    assert "no trust policy" in told["description"]


def test_oauth4webapi_discovers_both_ways_and_accepts_the_token(
    today_broker: RunningBroker,
) -> None:
    token = today_broker.github_token()

    told = run_node("oauth4webapi.mjs", today_broker.url, SERVICE, AUDIENCE, ACCOUNT, stdin=token)

    assert told["same"] is True
    assert told["answer"]["token_type"] == "bearer"
    assert told["claims"]["scope"] == "deploy:read deploy:write"
    assert told["claims"]["act"]["sub"] == "repo:octo-org/octo-repo:ref:refs/heads/main"
    assert told["replayed"]["reason"] == "token_already_used"
    decision_id = told["replayed"]["decision_id"]
    assert told["replayed"]["error_uri"] == f"{today_broker.url}/d/{decision_id}"
