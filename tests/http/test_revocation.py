"""`/oauth/revoke` (RFC 7009): a token is revoked by itself, by its account, by an operator."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.client_secrets import ask
from tests.registry_api import OPERATORS, RegistryClient, calling, problem
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), OPERATORS) as running:
        yield running


@pytest.fixture(scope="module")
def admin(broker: RunningBroker) -> RegistryClient:
    return calling(broker, "admin")


def token_of(admin: RegistryClient, **members: Any) -> tuple[dict[str, Any], str]:
    """Make an account that may see accounts, and get a token for the broker's API by its secret."""
    made = admin.create(grants={"broker": ["broker:accounts:read"]}, **members)
    answer = ask(admin.broker, made["id"], made["client_secret"], audience="broker")
    return made, answer.json()["access_token"]


def revoke(broker: RunningBroker, token: str, **form: str) -> httpx.Response:
    return broker.request("POST", "/oauth/revoke", data={"token": token, **form})


def counts(broker: RunningBroker, token: str) -> bool:
    """Tell whether a token for the broker's API is good there."""
    answer = RegistryClient(broker, {"Authorization": f"Bearer {token}"})("GET")
    if answer.status_code == 200:
        return True
    assert problem(answer, 401)[0] == "INVALID_API_KEY"
    return False


def last_revocation(broker: RunningBroker) -> Mapping[str, Any] | None:
    return next((e for e in reversed(broker.events()) if e["type"] == "token.revoked"), None)


def revocation_of(broker: RunningBroker) -> Mapping[str, Any]:
    event = last_revocation(broker)
    assert event is not None
    return event


def test_a_token_revokes_itself(broker: RunningBroker, admin: RegistryClient) -> None:
    made, token = token_of(admin)
    assert counts(broker, token)

    answer = revoke(broker, token)

    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["cache-control"] == "no-store"
    assert not counts(broker, token)
    event = revocation_of(broker)
    assert (event["type"], event["outcome"]) == ("token.revoked", "success")
    assert (event["service_account"], event["actor"]) == (made["id"], "the token itself")
    assert (event["sub"], event["audience"]) == (made["id"], broker.url)
    issued = [each for each in broker.events() if each["token_id"] == event["token_id"]]
    assert [each["type"] for each in issued] == ["token.issued", "token.revoked"]


def test_revoking_twice_is_revoking_once(broker: RunningBroker, admin: RegistryClient) -> None:
    _, token = token_of(admin)
    revoke(broker, token)
    before = last_revocation(broker)

    assert revoke(broker, token).status_code == 200
    assert last_revocation(broker) == before


def test_of_two_tokens_one_is_revoked(broker: RunningBroker, admin: RegistryClient) -> None:
    made, token = token_of(admin)
    other = ask(broker, made["id"], made["client_secret"], audience="broker").json()["access_token"]

    revoke(broker, token)

    assert (counts(broker, token), counts(broker, other)) == (False, True)


def test_a_job_revokes_the_token_that_it_got(broker: RunningBroker) -> None:
    answer = broker.exchange(broker.github_token())

    assert revoke(broker, answer.json()["access_token"]).status_code == 200
    assert revocation_of(broker)["token_id"] == answer.json()["token_id"]


@pytest.mark.parametrize("token", ["nothing", "a.b.c", "sa_live_x", "e30.e30.", "x" * 20_000])
def test_what_is_no_token_of_ours_needs_nothing(broker: RunningBroker, token: str) -> None:
    before = last_revocation(broker)

    assert revoke(broker, token).status_code == 200
    assert last_revocation(broker) == before


def test_a_ci_token_is_none_of_ours(broker: RunningBroker) -> None:
    token = broker.github_token()

    assert revoke(broker, token).status_code == 200
    assert broker.exchange(token).status_code == 200


def test_the_account_of_a_token_revokes_it(broker: RunningBroker, admin: RegistryClient) -> None:
    made, token = token_of(admin)

    answer = revoke(broker, token, client_id=made["id"], client_secret=made["client_secret"])

    assert answer.status_code == 200
    assert not counts(broker, token)
    assert revocation_of(broker)["actor"] == made["id"]


def test_an_account_that_may_end_accounts_revokes_their_tokens(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    _, token = token_of(admin)
    operator = admin.create(grants={"broker": ["broker:accounts:*"]})

    answer = revoke(
        broker, token, client_id=operator["id"], client_secret=operator["client_secret"]
    )

    assert answer.status_code == 200
    assert not counts(broker, token)
    assert revocation_of(broker)["actor"] == operator["id"]


@pytest.mark.parametrize("basic", [True, False])
def test_bad_credentials_fail_the_request(
    broker: RunningBroker, admin: RegistryClient, *, basic: bool
) -> None:
    made, token = token_of(admin)
    secret = made["client_secret"][:-1] + ("0" if made["client_secret"][-1] != "0" else "1")
    sent: dict[str, Any] = {"data": {"token": token}}
    if basic:
        sent["auth"] = (made["id"], secret)
    else:
        sent["data"] |= {"client_id": made["id"], "client_secret": secret}

    answer = broker.request("POST", "/oauth/revoke", **sent)

    assert answer.status_code == (401 if basic else 400)
    assert answer.json()["error"] == "invalid_client"
    assert counts(broker, token)


@pytest.mark.parametrize("hint", ["refresh_token", "pineapple"])
def test_a_hint_at_another_kind_of_token_is_refused(
    broker: RunningBroker, admin: RegistryClient, hint: str
) -> None:
    _, token = token_of(admin)

    answer = revoke(broker, token, token_type_hint=hint)

    assert answer.status_code == 400
    assert answer.json()["error"] == "unsupported_token_type"
    assert answer.json()["reason"] == "unsupported_token_type"
    assert counts(broker, token)
    assert revoke(broker, token, token_type_hint="access_token").status_code == 200


def test_without_a_token_the_request_is_malformed(broker: RunningBroker) -> None:
    answer = broker.request("POST", "/oauth/revoke", data={"x": "y"})

    assert (answer.status_code, answer.json()["reason"]) == (400, "malformed_request")


def test_the_metadata_says_where(broker: RunningBroker) -> None:
    metadata = broker.request("GET", "/.well-known/oauth-authorization-server").json()

    assert metadata["revocation_endpoint"] == f"{broker.url}/oauth/revoke"
    assert "none" in metadata["revocation_endpoint_auth_methods_supported"]


@pytest.mark.parametrize("seconds", [-120, 890])
def test_a_revocation_is_not_lost_to_a_clock_that_differs(tmp_path: Path, seconds: int) -> None:
    """By the clock of this replica the token is not valid yet, or is over."""
    with special_broker(tmp_path, OPERATORS) as broker:
        # Its keys are older than the difference.
        broker.clock.advance(600)
        _, token = token_of(calling(broker, "admin"))
        broker.clock.advance(seconds)
        assert revoke(broker, token).status_code == 200
        broker.clock.advance(-seconds)

        assert not counts(broker, token)


def test_a_token_that_is_long_over_is_not_noted(tmp_path: Path) -> None:
    with special_broker(tmp_path, OPERATORS) as broker:
        _, token = token_of(calling(broker, "admin"))
        broker.clock.advance(901)

        assert revoke(broker, token).status_code == 200
        assert last_revocation(broker) is None


def test_a_revoked_token_stays_so_after_a_restart(tmp_path: Path) -> None:
    with special_broker(tmp_path, OPERATORS) as running:
        admin = calling(running, "admin")
        _, token = token_of(admin)
        revoke(running, token)
        issuer = running.url
    with special_broker(tmp_path, OPERATORS) as again:
        answer = again.request(
            "GET", "/api/v1/service-accounts", headers={"Authorization": f"Bearer {token}"}
        )

        assert answer.status_code == 401
        assert issuer != again.url or not counts(again, token)
