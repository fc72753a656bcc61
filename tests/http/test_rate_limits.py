"""429 on OAuth paths and on `/api/v1`, and where there is none."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from broker.core.limits import Rate
from broker.settings import RateLimitSettings
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

READER = """\
service_accounts:
  policy-reader: {grants: {broker: [broker:policies:read]}}
policies:
  reads-policies:
    service_account: policy-reader
    issuer: github
    match: {repository_id: 456789, environment: reads-policies}
"""
THREE = Rate(3, 60)

Limited = Callable[..., AbstractContextManager[RunningBroker]]


@pytest.fixture
def limited(tmp_path: Path) -> Limited:
    """Serve a broker with limits, off where a test says nothing."""

    def serve(**rates: Rate) -> AbstractContextManager[RunningBroker]:
        limits = RateLimitSettings(**{"client": None, "address": None, "failed": None, **rates})
        return special_broker(tmp_path, READER, rate_limits=limits)

    return serve


def read_policies(broker: RunningBroker, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return broker.request("GET", "/api/v1/policies", headers=headers)


def own_token(broker: RunningBroker) -> str:
    ci_token = broker.github_token(environment="reads-policies")
    answer = broker.exchange(ci_token, audience="broker", client_id="policy-reader")
    token: str = answer.json()["access_token"]
    return token


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/explain", "/api/v1/auth/token"])
def test_an_address_that_asks_too_often_is_told_when_to_come_again(
    limited: Limited, path: str
) -> None:
    with limited(address=THREE) as broker:
        before = [broker.request("POST", path, data={"x": "y"}) for _ in range(3)]
        broker.clock.advance(20)
        answer = broker.request("POST", path, content=b"x" * 100_000)
        broker.clock.advance(40)
        after = broker.request("POST", path, data={"x": "y"})

        assert {each.status_code for each in [*before, after]} == {400}
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "40"
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert (body["error"], body["reason"]) == ("temporarily_unavailable", "rate_limited")
        [event] = [each for each in broker.decisions() if each["reason"] == "rate_limited"]
        assert (event["id"], event["count"]) == (body["decision_id"], 1)
        assert body["error_uri"] == f"{broker.url}/d/{event['id']}"


def test_all_paths_count_together_for_an_address(limited: Limited) -> None:
    with limited(address=THREE) as broker:
        broker.request("GET", "/oauth/token")
        broker.request("POST", "/oauth/explain")
        read_policies(broker, "nonsense")

        assert broker.exchange(broker.github_token()).status_code == 429


def test_health_and_discovery_are_not_limited(limited: Limited) -> None:
    with limited(address=Rate(1, 60)) as broker:
        broker.post({})
        assert broker.post({}).status_code == 429
        for path in (
            "/healthz",
            "/readyz",
            "/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server",
            "/.well-known/jwks.json",
        ):
            assert {broker.request("GET", path).status_code for _ in range(5)} == {200}


def test_the_api_answers_with_a_problem(limited: Limited) -> None:
    with limited(address=THREE) as broker:
        answer = [read_policies(broker, "nonsense") for _ in range(4)][-1]

        assert answer.status_code == 429
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "60"
        assert answer.json()["code"] == "RATE_LIMITED"
        assert answer.json()["status"] == 429
        [event] = [each for each in broker.decisions() if each["reason"] == "rate_limited"]
        assert event["id"] == answer.json()["decision_id"]
        assert answer.json()["error_uri"] == f"{broker.url}/d/{event['id']}"


def test_an_account_is_limited_at_the_api_too(limited: Limited) -> None:
    with limited(client=THREE) as broker:
        token = own_token(broker)
        told = [read_policies(broker, token).status_code for _ in range(4)]

        # The exchange was the first one.
        assert told == [200, 200, 429, 429]
        assert broker.exchange(broker.github_token()).status_code == 200


def test_bad_tokens_at_the_api_stop_no_good_one(limited: Limited) -> None:
    with limited(failed=THREE) as broker:
        token = own_token(broker)
        told = [read_policies(broker, "nonsense").status_code for _ in range(5)]

        assert told == [401, 401, 401, 429, 429]
        assert read_policies(broker, token).status_code == 200


def test_what_an_account_may_not_do_counts_for_it_and_its_address(limited: Limited) -> None:
    with limited(failed=THREE) as broker:
        headers = {"Authorization": f"Bearer {own_token(broker)}"}
        told = [broker.request("GET", "/api/v1/keys", headers=headers) for _ in range(4)]

        assert [each.status_code for each in told] == [403, 403, 403, 429]
        assert read_policies(broker, "nonsense").status_code == 401
        assert read_policies(broker, headers["Authorization"][7:]).status_code == 200


def test_to_explain_counts_for_the_one_who_asks(limited: Limited) -> None:
    with limited(client=THREE) as broker:
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "audience": "deploy-api",
            "subject_token": broker.github_token(ref="refs/heads/x"),
        }
        told = [broker.request("POST", "/oauth/explain", data=form) for _ in range(4)]

        assert [each.status_code for each in told] == [200, 200, 200, 429]
        assert broker.exchange(broker.github_token()).status_code == 200


def test_without_limits_nothing_lies_beside_the_store(limited: Limited, tmp_path: Path) -> None:
    with limited() as broker:
        assert {broker.post({}).status_code for _ in range(20)} == {400}
        assert not (tmp_path / "broker.db-limits").exists()


@pytest.fixture
def by_default(tmp_path: Path) -> Iterator[RunningBroker]:
    """Serve a broker with the limits that hold when nothing is configured."""
    limits = RateLimitSettings(Rate(600, 60), Rate(6000, 60), Rate(600, 60))
    with special_broker(tmp_path, rate_limits=limits) as broker:
        yield broker


def test_the_six_hundred_and_first_failure_of_a_minute_is_limited(
    by_default: RunningBroker,
) -> None:
    told = [by_default.exchange("no token").status_code for _ in range(601)]

    assert told == [400] * 600 + [429]
    assert by_default.exchange(by_default.github_token()).status_code == 200
