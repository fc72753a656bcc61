"""A block that names a claim which was too large to be recorded (contract §5, blocks).

Whoever belongs to many groups, or writes long names, would otherwise keep what was issued to them:
which CI token a service token was bought with, its event alone tells.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.http.test_introspection import NOTHING, asked, policies, told
from tests.registry_api import RegistryClient, calling
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

# More than one claim may have in an event.
MANY = [f"acme/team-{number:03}" for number in range(200)]
GROUPS = """\
  of-a-group:
    service_account: by-groups
    issuer: gitlab
    match: {project_id: 20, groups_direct: acme/ops}
"""
OPERATOR = '  by-groups: {grants: {guarded: ["guarded:see"], broker: ["broker:accounts:read"]}}\n'


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    text = policies().replace("service_accounts:\n", "service_accounts:\n" + OPERATOR, 1) + GROUPS
    with special_broker(tmp_path_factory.mktemp("broker"), text) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(broker: RunningBroker) -> Mapping[str, str]:
    """The credentials of the account that may introspect the tokens."""
    made = calling(broker, "admin")("POST", "/gateway/secrets")
    assert made.status_code == 201, made.text
    return {"client_id": "gateway", "client_secret": made.json()["client_secret"]}


@pytest.fixture
def block(broker: RunningBroker) -> Iterator[Any]:
    """Set a block for the length of a test."""
    admin = calling(broker, "admin")
    ids = []

    def set_block(**where: str) -> None:
        body = {"where": where, "reason": "INC-7"}
        answer = broker.request("POST", "/api/v1/blocks", headers=admin.headers, json=body)
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["id"])

    yield set_block
    for block_id in ids:
        answer = broker.request("DELETE", f"/api/v1/blocks/{block_id}", headers=admin.headers)
        assert answer.status_code == 204, answer.text


def issued(broker: RunningBroker, audience: str = "guarded", **claims: Any) -> str:
    answer = broker.exchange(broker.gitlab_token(**claims), audience=audience)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


def test_the_token_of_somebody_with_many_groups_ends_with_the_block_of_one(
    broker: RunningBroker, gateway: Mapping[str, str], block: Any
) -> None:
    few = issued(broker, groups_direct=["acme/ops"])
    many = issued(broker, groups_direct=[*MANY, "acme/ops"])
    assert told(broker, many, gateway)["active"]

    block(groups_direct="acme/ops")

    assert told(broker, few, gateway) == NOTHING
    assert told(broker, many, gateway) == NOTHING


def test_such_a_token_does_nothing_at_the_api_any_more(broker: RunningBroker, block: Any) -> None:
    token = issued(broker, "broker", groups_direct=[*MANY, "acme/ops"])
    client = RegistryClient(broker, {"Authorization": f"Bearer {token}"})
    assert client("GET").status_code == 200

    block(groups_direct="acme/ops")

    assert client("GET").status_code == 401


def test_a_long_branch_does_not_hide_from_the_block_of_its_project(
    broker: RunningBroker, gateway: Mapping[str, str], block: Any
) -> None:
    token = issued(broker, groups_direct=["acme/ops"], ref="x" * 1100, sub="project_path:a/b")
    other = issued(broker, groups_direct=["acme/ops"], ref="main")

    block(project_id="20", ref="x" * 1024)

    # What it was is not on record; that it was another one than the token's, nobody can say.
    assert told(broker, token, gateway) == NOTHING
    assert told(broker, other, gateway)["active"]


def test_what_the_rest_of_a_token_says_still_counts(
    broker: RunningBroker, gateway: Mapping[str, str], block: Any
) -> None:
    token = issued(broker, groups_direct=[*MANY, "acme/ops"])

    block(groups_direct="acme/ops", project_id="21")
    block(groups_direct="acme/ops", service_account="gateway")

    assert told(broker, token, gateway)["active"]


def test_the_event_names_what_it_has_not(broker: RunningBroker) -> None:
    issued(broker, groups_direct=[*MANY, "acme/ops"])
    issued(broker, groups_direct=["acme/ops"])

    large, usual = [event for event in broker.events() if event["type"] == "token.exchanged"][-2:]
    assert large["claims_left_out"] == ["groups_direct"]
    assert "groups_direct" not in large["claims"]
    assert "claims_left_out" not in usual
    assert asked(broker, "x").status_code == 401
