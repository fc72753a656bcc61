"""`/api/v1/blocks`: what is blocked gets nothing, and what it got counts no more."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from broker.core.vocabulary import TOKEN_TYPE_JWT
from tests.client_secrets import ask
from tests.http.test_introspection import NOTHING, by_secret, credentials, of_a_job, policies, told
from tests.registry_api import RegistryClient, calling, problem
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

PATH = "/api/v1/blocks"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), policies()) as running:
        yield running


@pytest.fixture(scope="module")
def admin(broker: RunningBroker) -> RegistryClient:
    """An operator by API key, whom no block of these tests holds."""
    made = calling(broker, "admin").create(grants={"broker": ["broker:*"]})
    return RegistryClient(broker, {"Authorization": f"Bearer {made['client_secret']}"})


@pytest.fixture(autouse=True)
def lifting(admin: RegistryClient) -> Iterator[None]:
    """Lift what a test leaves."""
    yield
    for each in blocks(admin):
        lift(admin, each["id"])


def block(admin: RegistryClient, **members: object) -> httpx.Response:
    body = {"reason": "INC-7", **members}
    return admin.broker.request("POST", PATH, headers=admin.headers, json=body)


def blocked(admin: RegistryClient, **where: str) -> str:
    answer = block(admin, where=where)
    assert answer.status_code == 201, answer.text
    block_id: str = answer.json()["id"]
    return block_id


def blocks(admin: RegistryClient) -> list[dict[str, str]]:
    answer = admin.broker.request("GET", PATH, headers=admin.headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, str]] = answer.json()["items"]
    return items


def event_of(broker: RunningBroker, answer: httpx.Response) -> dict[str, Any]:
    return next(each for each in broker.events() if each["id"] == answer.json()["decision_id"])


def lift(admin: RegistryClient, block_id: str) -> httpx.Response:
    return admin.broker.request("DELETE", f"{PATH}/{block_id}", headers=admin.headers)


def test_a_block_is_set_listed_and_lifted(broker: RunningBroker, admin: RegistryClient) -> None:
    answer = block(admin, where={"repository_id": 456789}, ttl="24h")

    made = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert made["where"] == {"repository_id": "456789"}
    assert blocks(admin) == [made]
    assert lift(admin, made["id"]).status_code == 204
    assert blocks(admin) == []
    assert problem(lift(admin, made["id"]), 404)[0] == "NOT_FOUND"
    created, deleted = (e for e in broker.events() if e["target"] == made["id"])
    assert (created["type"], created["changes"]) == ("block.created", made)
    assert (deleted["type"], deleted["actor"]) == ("block.deleted", made["created_by"])


def test_a_ci_token_that_a_block_names_is_refused_until_it_is_lifted(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    block_id = blocked(admin, repository_id="456789", environment="guarded")

    answer = broker.exchange(broker.github_token(environment="guarded"), audience="guarded")

    assert (answer.status_code, answer.json()["reason"]) == (400, "blocked")
    assert block_id in answer.json()["error_description"]
    assert "INC-7" not in answer.text
    event = event_of(broker, answer)
    assert (event["type"], event["reason"], event["target"]) == (
        "token.refused",
        "blocked",
        block_id,
    )
    assert broker.exchange(broker.github_token()).status_code == 200
    lift(admin, block_id)
    of_a_job(broker)


def test_a_blocked_token_is_not_spent(broker: RunningBroker, admin: RegistryClient) -> None:
    token = broker.github_token(environment="guarded")
    block_id = blocked(admin, environment="guarded")
    assert broker.exchange(token, audience="guarded").json()["reason"] == "blocked"
    lift(admin, block_id)

    assert broker.exchange(token, audience="guarded").status_code == 200


@pytest.mark.parametrize(
    "where",
    [
        {"repository_id": "456789"},
        {"service_account": "repo-ci"},
        {"service_account": "repo-ci:repository_id:456789"},
        {"policy": "repo-ci"},
        {"issuer": "github"},
    ],
)
def test_what_was_issued_before_is_active_no_more(
    broker: RunningBroker, admin: RegistryClient, where: dict[str, str]
) -> None:
    seeing = credentials(admin.create(grants={"broker": ["broker:introspect"]}))
    token = of_a_job(broker)
    assert told(broker, token, seeing)["active"] is True

    block_id = blocked(admin, **where)

    assert told(broker, token, seeing) == NOTHING
    lift(admin, block_id)
    assert told(broker, token, seeing)["active"] is True


def test_what_was_issued_from_other_tokens_stays_active(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    seeing = credentials(admin.create(grants={"broker": ["broker:introspect"]}))
    made = admin.create(grants={"plain": []})
    tokens = [of_a_job(broker), by_secret(broker, made)]

    blocked(admin, repository_id="456780")
    blocked(admin, repository_id="456789", ref="refs/heads/elsewhere")

    assert [told(broker, each, seeing)["active"] for each in tokens] == [True, True]


def test_a_token_for_the_api_does_nothing_there_once_its_job_is_blocked(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    reader = calling(broker, "reader")
    assert reader("GET").status_code == 200

    blocked(admin, environment="reader")

    assert problem(reader("GET"), 401)[0] == "INVALID_API_KEY"


def test_a_blocked_account_is_stopped_with_its_secrets_keys_and_tokens(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    made = admin.create(grants={"broker": ["broker:accounts:read"]})
    by_key = RegistryClient(broker, {"Authorization": f"Bearer {made['client_secret']}"})
    by_token = RegistryClient(broker, {"Authorization": f"Bearer {by_secret(broker, made)}"})
    assert (by_key("GET").status_code, by_token("GET").status_code) == (200, 200)

    block_id = blocked(admin, service_account=made["id"])

    answer = ask(broker, made["id"], made["client_secret"], audience=None)
    assert (answer.status_code, answer.json()["reason"]) == (400, "blocked")
    event = event_of(broker, answer)
    assert (event["type"], event["target"]) == ("token.refused", block_id)
    assert problem(by_key("GET"), 401)[0] == problem(by_token("GET"), 401)[0] == "INVALID_API_KEY"


def test_a_blocked_account_is_told_nothing_of_tokens_and_ends_none(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    made = admin.create(grants={"broker": ["broker:introspect", "broker:accounts:write"]})
    seeing = credentials(admin.create(grants={"broker": ["broker:introspect"]}))
    token = of_a_job(broker)
    form = {"token": token, **credentials(made)}

    block_id = blocked(admin, service_account=made["id"])

    for path in ("/oauth/introspect", "/oauth/revoke"):
        answer = broker.request("POST", path, data=form)
        assert answer.status_code == 400
        members = answer.json()
        assert (members["error"], members["reason"]) == ("invalid_client", "blocked")
        assert block_id in members["error_description"]
    assert told(broker, token, seeing)["active"] is True


def test_explain_says_that_it_is_blocked(broker: RunningBroker, admin: RegistryClient) -> None:
    block_id = blocked(admin, environment="guarded")

    token = broker.github_token(environment="guarded")
    form = {"subject_token": token, "subject_token_type": TOKEN_TYPE_JWT, "audience": "guarded"}

    answer = broker.request("POST", "/oauth/explain", data=form)

    assert answer.json()["reason"] == "blocked"
    assert block_id in answer.json()["fix"]


def test_a_block_ends_by_itself(broker: RunningBroker, admin: RegistryClient) -> None:
    block(admin, where={"environment": "guarded"}, ttl="1m")

    broker.clock.advance(60)

    assert blocks(admin) == []
    of_a_job(broker)


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"where": {"repositry_id": "456789"}}, "where.repositry_id"),
        ({"where": {"service_account": "nobody"}}, "where.service_account"),
        ({"where": {"service_account": "nobody:repository_id:1"}}, "where.service_account"),
        ({"where": {"service_account": "repo-ci:"}}, "where.service_account"),
        ({"where": {"service_account": "repo-ci:repository_id"}}, "where.service_account"),
        ({"where": {"service_account": "repo-ci:repository_id:"}}, "where.service_account"),
        ({"where": {"service_account": "repo-ci:repo_id:456789"}}, "where.service_account"),
        ({"where": {"service_account": "repo-ci:repository_id:1:ref:x"}}, "where.service_account"),
        ({"where": {"service_account": "gateway:repository_id:1"}}, "where.service_account"),
        ({"where": {}}, "where"),
        ({"where": {"issuer": "github"}, "reason": ""}, "reason"),
    ],
)
def test_what_holds_nothing_is_refused_and_nothing_is_set(
    admin: RegistryClient, members: dict[str, object], field: str
) -> None:
    assert problem(block(admin, **members), 400) == ("INVALID_REQUEST", field)
    assert blocks(admin) == []


def test_only_who_may_block_does_and_no_organization(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    reading = admin.create(grants={"broker": ["broker:blocks:read"]})
    weak = RegistryClient(broker, {"Authorization": f"Bearer {reading['client_secret']}"})
    assert blocks(weak) == []
    for caller in (weak, calling(broker, "acme-admin")):
        answer = block(caller, where={"issuer": "github"})
        assert problem(answer, 403)[0] == "INSUFFICIENT_PERMISSIONS"
    assert blocks(admin) == []


def test_a_parameter_that_is_not_known_is_refused(admin: RegistryClient) -> None:
    answer = admin.broker.request("GET", f"{PATH}?limit=1", headers=admin.headers)

    assert problem(answer, 400) == ("INVALID_REQUEST", "limit")


def test_there_are_at_most_a_thousand(
    admin: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.registry.blocks.MAX_BLOCKS", 2)
    for number in ("1", "2"):
        blocked(admin, repository_id=number)

    assert problem(block(admin, where={"repository_id": "3"}), 409)[0] == "CONFLICT"
    assert len(blocks(admin)) == 2
