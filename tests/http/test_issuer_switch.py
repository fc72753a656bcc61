"""`PATCH /api/v1/issuers/{name}`: the kill switch of an issuer, beside the policy files."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.registry_api import OPERATORS, RegistryClient, calling, problem
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    with special_broker(tmp_path, OPERATORS) as running:
        yield running


@pytest.fixture
def admin(broker: RunningBroker) -> RegistryClient:
    """An operator by API key, whom no issuer's end stops."""
    made = calling(broker, "admin").create(grants={"broker": ["broker:*"]})
    return RegistryClient(broker, {"Authorization": f"Bearer {made['client_secret']}"})


def patch(caller: RegistryClient, name: str, **members: object) -> httpx.Response:
    path = f"/api/v1/issuers/{name}"
    return caller.broker.request("PATCH", path, headers=caller.headers, json=members)


def enabled(caller: RegistryClient) -> dict[str, bool]:
    answer = caller.broker.request("GET", "/api/v1/issuers", headers=caller.headers)
    return {each["name"]: each["enabled"] for each in answer.json()["items"]}


def test_an_issuer_is_switched_off_and_on_again(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    answer = patch(admin, "github", enabled=False)

    assert (answer.status_code, answer.json()["enabled"]) == (200, False)
    assert enabled(admin) == {
        "buildkite": True, "github": False, "gitlab": True, "gitlab-corp": True,
    }  # fmt: skip
    refused = broker.exchange(broker.github_token())
    assert (refused.status_code, refused.json()["reason"]) == (400, "issuer_disabled")
    assert broker.exchange(broker.gitlab_token()).status_code == 200

    assert patch(admin, "github", enabled=True).json()["enabled"] is True
    assert broker.exchange(broker.github_token()).status_code == 200
    switches = [each for each in broker.events() if each["target"] == "github"]
    assert [each["type"] for each in switches] == ["issuer.disabled", "issuer.enabled"]
    assert switches[0]["actor"].startswith("m-")


def test_switching_twice_is_recorded_once(broker: RunningBroker, admin: RegistryClient) -> None:
    for _ in range(2):
        assert patch(admin, "gitlab", enabled=False).status_code == 200

    assert [each["target"] for each in broker.events()].count("gitlab") == 1


def test_it_stays_off_when_the_files_are_read_again(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    patch(admin, "github", enabled=False)
    (broker.folder / "policies" / "again.yaml").write_text("organizations: {x: {description: X}}")
    broker.reload(forced=False)

    assert enabled(admin)["github"] is False
    assert broker.exchange(broker.github_token()).json()["reason"] == "issuer_disabled"


def test_what_the_files_switch_off_is_not_switched_on_here(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    path = broker.folder / "policies" / "policies.yaml"
    [policies] = [each for each in path.parent.iterdir() if "buildkite:" in each.read_text()]
    text = policies.read_text().replace("  buildkite:\n", "  buildkite:\n    enabled: false\n")
    policies.write_text(text)
    broker.reload(forced=False)

    assert problem(patch(admin, "buildkite", enabled=True), 409) == ("CONFLICT", "enabled")
    assert patch(admin, "buildkite", enabled=False).status_code == 200
    assert enabled(admin)["buildkite"] is False


@pytest.mark.parametrize(
    ("members", "field"),
    [({}, "enabled"), ({"enabled": "no"}, "enabled"), ({"enabled": None}, "enabled"),
     ({"enabled": False, "replay": "reusable"}, "replay")],
)  # fmt: skip
def test_nothing_else_is_changed_here(
    admin: RegistryClient, members: dict[str, object], field: str
) -> None:
    assert problem(patch(admin, "github", **members), 400) == ("INVALID_REQUEST", field)
    assert enabled(admin)["github"] is True


def test_an_unknown_issuer_is_not_found(admin: RegistryClient) -> None:
    assert problem(patch(admin, "githob", enabled=False), 404)[0] == "NOT_FOUND"


def test_only_who_may_change_issuers_does_and_no_organization(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    reading = admin.create(grants={"broker": ["broker:issuers:read"]})
    weak = RegistryClient(broker, {"Authorization": f"Bearer {reading['client_secret']}"})
    for caller in (weak, calling(broker, "acme-admin")):
        answer = patch(caller, "github", enabled=False)
        assert problem(answer, 403)[0] == "INSUFFICIENT_PERMISSIONS"
    assert enabled(admin)["github"] is True
