"""`/api/v1/services` and `/api/v1/organizations`: what may be granted, and whose."""

from collections.abc import Iterator
from typing import Any

import pytest

from broker.core.broker_service import BROKER_SCOPES
from tests.http.operators import OPERATORS, bearer, get, refused
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

SERVICES, ORGANIZATIONS = "/api/v1/services", "/api/v1/organizations"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), OPERATORS) as running:
        yield running


def items(broker: RunningBroker, account: str, path: str, **query: Any) -> list[dict[str, Any]]:
    answer = get(broker, account, path, **query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def names(broker: RunningBroker, account: str, path: str) -> list[str]:
    return [each["name"] for each in items(broker, account, path)]


@pytest.mark.parametrize("account", ["catalogue-reader", "account-reader"])
def test_the_catalogue_has_every_service_and_what_its_scopes_mean(
    broker: RunningBroker, account: str
) -> None:
    listed = {each["name"]: each for each in items(broker, account, SERVICES)}

    assert list(listed) == sorted(broker.in_force().services)
    assert listed["deploy-api"] == {
        "name": "deploy-api",
        "audience": "https://deploy.example.com",
        "scopes": {"deploy:read": "See deployments", "deploy:write": "Start a deployment"},
        "ttl": 600,
        "max_ttl": 3600,
        "signing_alg": "ES256",
        "token_typ": "at+jwt",
        "workload": "full",
        "introspection": [],
        "organizations": [],
        "profile": None,
        "claims": {},
        "session_tags": {},
        "transitive_tags": [],
    }
    assert listed["octo-only"]["introspection"] == ["auditor", "deploy-web"]


def test_the_broker_is_a_service_of_its_own_catalogue(broker: RunningBroker) -> None:
    listed = {each["name"]: each for each in items(broker, "account-reader", SERVICES)}

    assert listed["broker"]["audience"] == broker.url
    assert listed["broker"]["scopes"] == BROKER_SCOPES


def test_who_belongs_to_an_organization_sees_what_it_may_grant(broker: RunningBroker) -> None:
    assert names(broker, "org-admin", SERVICES) == ["broker", "octo-only", "shared"]
    assert names(broker, "other-admin", SERVICES) == ["broker", "others", "shared"]
    seen = {each["name"]: each for each in items(broker, "org-admin", SERVICES)}
    # Neither other organizations nor accounts that are not its own.
    assert seen["shared"]["organizations"] == ["octo-org"]
    assert seen["octo-only"]["introspection"] == ["deploy-web"]


def test_organizations_are_listed_with_what_they_are(broker: RunningBroker) -> None:
    assert items(broker, "catalogue-reader", ORGANIZATIONS) == [
        {"name": "octo-org", "description": "The organization of the tests"},
        {"name": "other-org", "description": "Another one"},
    ]
    assert names(broker, "other-admin", ORGANIZATIONS) == ["other-org"]


@pytest.mark.parametrize("path", [SERVICES, ORGANIZATIONS])
def test_lists_are_paged_by_name(broker: RunningBroker, path: str) -> None:
    headers = bearer(broker, "catalogue-reader")
    whole = broker.request("GET", path, headers=headers).json()
    assert whole.keys() == {"items"}
    read: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 1}
    while query.get("cursor", "") is not None:
        page = broker.request("GET", path, headers=headers, params=query).json()
        assert len(page["items"]) == 1
        read += page["items"]
        query["cursor"] = page.get("next_cursor")

    assert read == whole["items"]


@pytest.mark.parametrize("path", [SERVICES, ORGANIZATIONS])
def test_only_who_may_read_the_catalogue_reads_it(broker: RunningBroker, path: str) -> None:
    answer = get(broker, "auditor", path)

    assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert broker.request("GET", path).status_code == 401
    assert refused(get(broker, "account-reader", path, name="x"), "name")
