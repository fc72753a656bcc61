"""Tokens of a whole broker, verified as a service does; and asked about, where that matters."""

from collections.abc import Iterator

import pytest

from broker.verify import Introspection, NotVerifiable, Reason, TokenRefused, Verifier
from tests.registry_api import OPERATORS, calling
from tests.running_broker import GITHUB, RunningBroker
from tests.special_brokers import special_broker

GUARDED = "https://guarded.example"
SERVICES = """\
  guarded:
    audience: https://guarded.example
    scopes: {guarded:see: See, guarded:do: Do}
    introspection: [gateway]
service_accounts:
  gateway: {grants: {plain: []}, secrets: allowed}
  stranger: {grants: {plain: []}, secrets: allowed}
  repo-ci: {grants: {guarded: ["guarded:*"]}, instances: [repository_id]}
"""
POLICY = """\
  repo-ci:
    service_account: repo-ci
    issuer: github
    match: {repository_id: 456789, environment: guarded}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    text = OPERATORS.replace("service_accounts:\n", SERVICES, 1) + POLICY
    with special_broker(tmp_path_factory.mktemp("broker"), text) as running:
        yield running


def of_a_job(broker: RunningBroker) -> str:
    answer = broker.exchange(broker.github_token(environment="guarded"), audience="guarded")
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


def asking(broker: RunningBroker, account: str) -> Verifier:
    made = calling(broker, "admin")("POST", f"/{account}/secrets")
    assert made.status_code == 201, made.text
    asks = Introspection(account, made.json()["client_secret"])
    assert made.json()["client_secret"] not in repr(asks)
    return Verifier(broker.url, audience=GUARDED, introspection=asks, clock=broker.clock.now)


def test_a_service_learns_who_calls_and_from_where(broker: RunningBroker) -> None:
    verifier = Verifier(broker.url, audience=GUARDED, clock=broker.clock.now)

    caller = verifier.verify(of_a_job(broker), "guarded:do")

    assert caller.client_id == "repo-ci"
    assert caller.subject == "repo-ci:repository_id:456789"
    assert caller.policies == ("repo-ci",)
    assert caller.actor is not None
    assert caller.actor.issuer == GITHUB
    assert caller.workload is not None
    assert caller.workload.platform == "github"
    assert caller.workload.members["repository_id"] == "456789"


def test_a_token_for_another_service_is_refused(broker: RunningBroker) -> None:
    verifier = Verifier(broker.url, audience="https://plain.example", clock=broker.clock.now)

    with pytest.raises(TokenRefused) as refused:
        verifier.verify(of_a_job(broker))
    assert refused.value.reason is Reason.AUDIENCE_MISMATCH


def test_a_ci_token_is_no_service_token(broker: RunningBroker) -> None:
    verifier = Verifier(broker.url, audience=GUARDED, clock=broker.clock.now)

    with pytest.raises(TokenRefused):
        verifier.verify(broker.github_token())


async def test_a_service_that_asks_learns_of_a_revocation_at_once(broker: RunningBroker) -> None:
    verifier = asking(broker, "gateway")
    token, other = of_a_job(broker), of_a_job(broker)
    for _ in range(2):
        assert verifier.verify(token).client_id == "repo-ci"
        assert (await verifier.verify_async(token)).client_id == "repo-ci"

    assert broker.request("POST", "/oauth/revoke", data={"token": token}).status_code == 200

    for _ in range(2):
        with pytest.raises(TokenRefused) as refused:
            verifier.verify(token)
        assert refused.value.reason is Reason.REVOKED
        with pytest.raises(TokenRefused):
            await verifier.verify_async(token)
    assert verifier.verify(other).client_id == "repo-ci"


def test_who_may_not_know_of_a_token_is_told_what_to_configure(broker: RunningBroker) -> None:
    with pytest.raises(TokenRefused, match="introspection"):
        asking(broker, "stranger").verify(of_a_job(broker))


def test_a_broker_that_does_not_answer_lets_nobody_in(broker: RunningBroker) -> None:
    token = of_a_job(broker)
    wrong = Introspection("gateway", "sa_live_" + "x" * 56)
    verifier = Verifier(broker.url, audience=GUARDED, introspection=wrong, clock=broker.clock.now)

    with pytest.raises(NotVerifiable) as refused:
        verifier.verify(token)
    assert "sa_live_" not in str(refused.value)
    with pytest.raises(NotVerifiable):
        Introspection("gateway", "x").require_active("http://127.0.0.1:1", token)
