"""Attacks 142, 143: the administrator of one organization reaches for others, or for all."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from broker.core.list_cursor import write_cursor
from tests.registry_api import OPERATORS, RegistryClient, calling, problem
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

DENIED = "INSUFFICIENT_PERMISSIONS"

# Of its own organization, and yet they lead beyond it: by a grant, and by what they may introspect.
REACHING: Final = """\
  acme-abroad: {organization: acme, secrets: allowed, grants: {of-umbrella: ["acme:run"]}}
  acme-gateway: {organization: acme, secrets: allowed, grants: {of-acme: ["acme:run"]}}
  acme-own: {organization: acme, secrets: allowed, grants: {of-acme: ["acme:run"]}}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    text = OPERATORS.replace("service_accounts:\n", f"service_accounts:\n{REACHING}", 1).replace(
        "organizations: [umbrella]",
        "organizations: [umbrella]\n    introspection: [acme-gateway]",
        1,
    )
    with special_broker(tmp_path_factory.mktemp("organizations"), text) as running:
        yield running


@pytest.fixture
def acme(broker: RunningBroker) -> RegistryClient:
    """Holds `broker:*`, within acme."""
    return calling(broker, "acme-admin")


@pytest.fixture(scope="module")
def others(broker: RunningBroker) -> list[str]:
    """Accounts that are not of acme: made by others, and of files."""
    umbrella = calling(broker, "umbrella-admin").create(name="theirs")
    operators = calling(broker, "admin").create(name="nobodys")
    return [umbrella["id"], operators["id"], "umbrella-admin", "admin", "deploy-web"]


def test_it_sees_the_accounts_of_its_organization_alone(
    acme: RegistryClient, others: list[str]
) -> None:
    mine = acme.create(name="mine")

    assert set(acme.ids()) >= {mine["id"], "acme-admin"}
    assert mine["organization"] == "acme"
    assert not set(acme.ids()) & set(others)
    assert acme.ids("?organization=umbrella") == []
    for after in ("", "a", "z"):
        cursor = write_cursor("service-accounts", {}, after)
        assert not set(acme.ids(f"?cursor={cursor}")) & set(others)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/secrets"), ("POST", "/secrets"),
        ("DELETE", "/secrets/x"), ("POST", "/secrets/rotate"),
        ("POST", "/secrets/rotate/complete"), ("POST", "/secrets/rotate/cancel"),
    ],
)  # fmt: skip
def test_others_accounts_are_as_if_they_were_not(
    acme: RegistryClient, others: list[str], method: str, path: str
) -> None:
    body = {"json": {"enabled": False}} if method == "PATCH" else {}
    unknown = acme(method, f"/there-is-none{path}", **body)
    assert problem(unknown, 404)[0] == "NOT_FOUND"

    for client_id in others:
        answer = acme(method, f"/{client_id}{path}", **body)
        assert answer.status_code == 404
        assert answer.json() | {"instance": ""} == unknown.json() | {"instance": ""}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/keys"), ("POST", "/api/v1/keys/rotate"),
        ("GET", "/api/v1/policies"), ("POST", "/api/v1/policies/reload"),
    ],
)  # fmt: skip
def test_what_concerns_the_whole_broker_is_out_of_its_reach(
    broker: RunningBroker, acme: RegistryClient, method: str, path: str
) -> None:
    answer = broker.request(method, path, headers=acme.headers)

    assert problem_code(answer) == (403, DENIED)


def problem_code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_it_chooses_no_ids(acme: RegistryClient) -> None:
    answer = acme("POST", json={"name": "x", "client_id": "nightly"})

    assert problem(answer, 403) == (DENIED, "client_id")


@pytest.mark.parametrize("organization", ["umbrella", "octo-org", None, "nobody"])
def test_it_makes_no_accounts_elsewhere(acme: RegistryClient, organization: str | None) -> None:
    answer = acme("POST", json={"name": "x", "organization": organization})

    assert problem(answer, 403) == (DENIED, "organization")


def test_it_moves_no_accounts_elsewhere(acme: RegistryClient) -> None:
    made = acme.create()

    answer = acme("PATCH", f"/{made['id']}", json={"organization": "umbrella"})

    assert problem(answer, 400) == ("INVALID_REQUEST", "organization")


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"grants": {"of-umbrella": ["umbrella:run"]}}, "grants.of-umbrella"),
        ({"grants": {"of-acme": ["acme:run"], "plain": []}}, "grants.plain"),
        ({"grants": {"deploy-api": ["deploy:*"]}}, "grants.deploy-api"),
        (
            {"services": ["of-acme", "of-umbrella"], "scopes": ["acme:run"]},
            "grants.of-umbrella",
        ),
        ({"services": ["plain"], "permissions": []}, "grants.plain"),
    ],
)
def test_it_grants_no_services_that_are_not_open_to_it(
    acme: RegistryClient, members: dict[str, Any], field: str
) -> None:
    before = acme.ids()

    assert problem(acme("POST", json={"name": "x"} | members), 403) == (DENIED, field)
    assert acme.ids() == before
    if "grants" in members:
        made = acme.create(grants={"of-acme": ["acme:run"]})
        answer = acme("PATCH", f"/{made['id']}", json=members)
        assert problem(answer, 403) == (DENIED, field)
        assert acme.shown(f"/{made['id']}")["grants"] == {"of-acme": ["acme:run"]}


@pytest.mark.parametrize(
    "members",
    [
        {"grants": {"NAME": []}},
        {"grants": {"NAME": ["umbrella:run"]}},
        {"grants": {"NAME": ["no:scope"]}},
        {"services": ["NAME"], "scopes": ["umbrella:run"]},
    ],
)
def test_it_does_not_learn_which_services_others_have(
    acme: RegistryClient, members: dict[str, Any]
) -> None:
    made = acme.create()["id"]

    def answers(name: str) -> list[tuple[int, str]]:
        body = json.loads(json.dumps({"name": "x"} | members).replace("NAME", name))
        asked = [acme("POST", json=body)]
        if "grants" in body:
            asked.append(acme("PATCH", f"/{made}", json=body))
        told = [each.text.replace(name, "NAME").partition(',"instance":')[0] for each in asked]
        return list(zip([each.status_code for each in asked], told, strict=True))

    assert answers("of-umbrella") == answers("of-nobody")
    assert answers("of-umbrella")[0][0] == 403


def test_not_even_an_operator_gives_one_organization_the_services_of_another(
    broker: RunningBroker,
) -> None:
    admin = calling(broker, "admin")

    for organization, service in (("acme", "of-umbrella"), ("acme", "plain"), (None, "of-acme")):
        answer = admin(
            "POST", json={"name": "x", "organization": organization, "grants": {service: []}}
        )
        assert problem(answer, 403) == (DENIED, f"grants.{service}")


@pytest.mark.parametrize("account", ["acme-abroad", "acme-gateway"])
def test_it_gets_no_credential_of_an_account_that_reaches_beyond_its_organization(
    acme: RegistryClient, account: str
) -> None:
    for method, path, body in (
        ("POST", f"/{account}/secrets", {}),
        ("POST", f"/{account}/secrets/rotate", {}),
        ("PATCH", f"/{account}", {"enabled": False}),
    ):
        answer = acme(method, path, json=body)
        assert problem(answer, 403)[0] == DENIED
        assert "of-umbrella" in answer.json()["detail"]
    assert acme.shown(f"/{account}/secrets")["items"] == []
    assert acme("POST", "/acme-own/secrets").status_code == 201
