"""What the broker says of its own API as a protected resource (RFC 9728)."""

import re
from collections.abc import Iterator

import pytest

from broker.core.broker_service import BROKER_SCOPES
from tests.registry_api import OPERATORS, PATH
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

WELL_KNOWN = "/.well-known/oauth-protected-resource"


@pytest.fixture(scope="module")
def below_a_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker whose issuer URL has a path."""
    with special_broker(tmp_path_factory.mktemp("broker"), OPERATORS, path="/ci/broker") as broker:
        yield broker


def test_it_names_the_broker_as_the_resource_and_as_where_tokens_come_from(
    broker: RunningBroker,
) -> None:
    answer = broker.request("GET", WELL_KNOWN)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["etag"]
    assert answer.json() == {
        "resource": broker.url,
        "authorization_servers": [broker.url],
        "scopes_supported": sorted(BROKER_SCOPES),
        "bearer_methods_supported": ["header"],
        "resource_name": "ci-token-broker",
    }


def test_a_refusal_of_the_api_leads_there(below_a_path: RunningBroker) -> None:
    refused = below_a_path.request("GET", "/ci/broker/api/v1/keys")

    found = re.search('resource_metadata="([^"]+)"', refused.headers["www-authenticate"])
    assert found is not None
    assert found[1] == f"{below_a_path.url}{WELL_KNOWN}/ci/broker"
    answer = below_a_path.request("GET", found[1].removeprefix(below_a_path.url))
    assert answer.json()["resource"] == f"{below_a_path.url}/ci/broker"
    [server] = answer.json()["authorization_servers"]
    metadata = below_a_path.request(
        "GET", f"{server}/.well-known/openid-configuration".removeprefix(below_a_path.url)
    )
    assert metadata.json()["issuer"] == server


def test_a_token_for_the_resource_is_good_there(below_a_path: RunningBroker) -> None:
    resource = below_a_path.request("GET", f"{WELL_KNOWN}/ci/broker").json()["resource"]
    ci_token = below_a_path.github_token(environment="admin", ref="refs/heads/ops")

    token = below_a_path.exchange(ci_token, audience=None, resource=resource).json()["access_token"]

    made = below_a_path.request(
        "POST",
        f"/ci/broker{PATH}",
        json={"name": "Nightly"},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"/ci/broker{PATH}/{made.json()['id']}"
