"""What the token endpoint answers, grant by grant (RFC 6749 §5, RFC 8693 §2.2)."""

from collections.abc import Iterator

import pytest

from broker.core.vocabulary import (
    GRANT_JWT_BEARER,
    GRANT_TOKEN_EXCHANGE,
    TOKEN_TYPE_ACCESS_TOKEN,
    TOKEN_TYPE_JWT,
)
from tests.running_broker import RunningBroker
from tests.service_tokens import DEPLOY_API, verified
from tests.special_brokers import special_broker

MORE_POLICIES = """\
services:
  registry: {audience: https://registry.example.com}
service_accounts:
  deploy-all: {grants: {deploy-api: [deploy:read], registry: []}}
policies:
  octo-all: {service_account: deploy-all, issuer: github, match: {repository_id: 456789}}
"""
PATHS = ["/oauth/token", "/api/v1/auth/token"]


def test_a_token_exchange_says_what_it_issued(broker: RunningBroker) -> None:
    answer = broker.exchange(broker.github_token(), scope="deploy:read", expires_in="120")

    verified(broker, answer)
    members = answer.json()
    assert members.pop("access_token").count(".") == 2
    assert len(members.pop("token_id")) == 36
    assert members == {
        "issued_token_type": TOKEN_TYPE_ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": 120,
        "scope": "deploy:read",
        "service_account": "deploy-web",
    }


def test_the_jwt_bearer_grant_knows_no_issued_token_type(broker: RunningBroker) -> None:
    answer = broker.jwt_bearer(broker.github_token())

    verified(broker, answer)
    assert answer.json().keys() == {
        "access_token",
        "token_type",
        "expires_in",
        "scope",
        "service_account",
        "token_id",
    }


def test_no_answer_with_a_token_is_ever_stored(broker: RunningBroker) -> None:
    for answer in (
        broker.exchange(broker.github_token()),
        broker.jwt_bearer(broker.github_token()),
        broker.exchange("x"),
    ):
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["pragma"] == "no-cache"
        assert int(answer.headers["content-length"]) == len(answer.content)


def test_the_api_takes_a_flat_json_object(broker: RunningBroker) -> None:
    request = {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": broker.github_token(),
        "subject_token_type": TOKEN_TYPE_JWT,
        "audience": ["deploy-api", DEPLOY_API],
        "resource": DEPLOY_API,
        "scope": "deploy:read",
        "expires_in": 60,
        "client_id": "deploy-web",
        "not_a_parameter": "ignored",
    }

    answer = broker.request("POST", "/api/v1/auth/token", json=request)

    assert verified(broker, answer)["scope"] == "deploy:read"
    assert answer.json()["expires_in"] == 60


def test_the_api_takes_a_form_as_well(broker: RunningBroker) -> None:
    answer = broker.request(
        "POST",
        "/api/v1/auth/token",
        data={
            "grant_type": GRANT_JWT_BEARER,
            "assertion": broker.github_token(),
            "audience": "deploy-api",
        },
    )

    verified(broker, answer)


def test_the_api_refuses_in_the_words_of_oauth(broker: RunningBroker) -> None:
    answer = broker.request("POST", "/api/v1/auth/token", json={"grant_type": "password"})

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"] == "unsupported_grant_type"
    assert GRANT_TOKEN_EXCHANGE in answer.json()["error_description"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("form", [{}, {"grant_type": ""}, {"scope": "x"}], ids=repr)
def test_a_request_names_its_grant(broker: RunningBroker, path: str, form: dict[str, str]) -> None:
    answer = broker.request("POST", path, data=form or {"x": ""})

    assert answer.status_code == 400
    assert (answer.json()["error"], answer.json()["reason"]) == (
        "invalid_request",
        "malformed_request",
    )


@pytest.mark.parametrize("grant", ["exchange", "jwt_bearer"])
@pytest.mark.parametrize(
    ("token", "reason"),
    [("malformed", "malformed_token"), ("denied", "no_policy_matched")],
)
def test_each_grant_has_its_own_error_for_a_bad_token(
    broker: RunningBroker, grant: str, token: str, reason: str
) -> None:
    presented = "x.y.z" if token == "malformed" else broker.github_token(event_name="fork")

    answer = getattr(broker, grant)(presented)

    assert answer.status_code == 400
    assert answer.json()["reason"] == reason
    assert (
        answer.json()["error"]
        == {
            "exchange": "invalid_request",
            "jwt_bearer": "invalid_grant",
        }[grant]
    )


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_only_post_is_served(broker: RunningBroker, path: str, method: str) -> None:
    answer = broker.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    if method == "HEAD":
        assert answer.content == b""
        assert int(answer.headers["content-length"]) > 0
    else:
        assert answer.json()["error"] == "invalid_request"
        assert answer.json()["reason"] == "malformed_request"


@pytest.mark.parametrize(
    "path", ["/oauth/token/", "/oauth//token", "/OAuth/token", "/oauth/token;x"]
)
def test_no_other_spelling_of_the_path_is_served_or_redirected(
    broker: RunningBroker, path: str
) -> None:
    answer = broker.request("POST", path, data={"grant_type": GRANT_JWT_BEARER})

    assert answer.status_code == 404
    assert "location" not in answer.headers


@pytest.fixture(scope="module")
def with_more(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), MORE_POLICIES) as broker:
        yield broker


def test_a_choice_of_accounts_is_listed(with_more: RunningBroker) -> None:
    answer = with_more.exchange(with_more.github_token(), scope="deploy:read")

    assert answer.status_code == 400
    assert answer.json()["reason"] == "ambiguous_account"
    assert answer.json()["service_accounts"] == ["deploy-all", "deploy-web"]
    chosen = with_more.exchange(with_more.github_token(), client_id="deploy-all")
    assert verified(with_more, chosen)["client_id"] == "deploy-all"


def test_an_absent_scope_is_left_out_not_null(with_more: RunningBroker) -> None:
    answer = with_more.exchange(with_more.github_token(), audience="registry")

    verified(with_more, answer, audience="https://registry.example.com")
    assert "scope" not in answer.json()
