"""Attack 141: whoever may write accounts makes one that may more, or takes over a stronger one."""

from collections.abc import Iterator

import pytest

from tests.registry_api import OPERATORS, RegistryClient, calling, problem
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

DENIED = "INSUFFICIENT_PERMISSIONS"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("authority"), OPERATORS) as running:
        yield running


@pytest.fixture
def writer(broker: RunningBroker) -> RegistryClient:
    """Holds `broker:accounts:read` and `broker:accounts:write`, and nothing else."""
    return calling(broker, "writer")


@pytest.fixture(scope="module")
def boss(broker: RunningBroker) -> str:
    """An account that may everything."""
    made = calling(broker, "admin").create(client_id="boss", grants={"broker": ["broker:*"]})
    return str(made["id"])


@pytest.mark.parametrize("scope", ["broker:*", "broker:keys:write", "broker:introspect"])
def test_a_stronger_account_is_not_made(writer: RegistryClient, scope: str) -> None:
    before = writer.ids()

    for members in (
        {"grants": {"broker": [scope]}},
        {"services": ["broker"], "scopes": [scope]},
        {"services": ["broker", "plain"], "permissions": [scope, "broker:accounts:read"]},
    ):
        answer = writer("POST", json={"name": "x"} | members)
        assert problem(answer, 403) == (DENIED, "grants.broker")
    assert writer.ids() == before


def test_an_account_is_not_made_stronger(writer: RegistryClient) -> None:
    made = writer.create(grants={"broker": ["broker:accounts:read"]})

    for grants in ({"broker": ["broker:*"]}, {"plain": [], "broker": ["broker:keys:read"]}):
        answer = writer("PATCH", f"/{made['id']}", json={"name": "y", "grants": grants})
        assert problem(answer, 403) == (DENIED, "grants.broker")
    shown = writer.shown(f"/{made['id']}")
    assert (shown["name"], shown["grants"]) == ("x", {"broker": ["broker:accounts:read"]})


def test_no_credential_of_a_stronger_account_is_made_or_ended(
    writer: RegistryClient, boss: str
) -> None:
    [secret] = writer.shown(f"/{boss}/secrets")["items"]

    for method, path in (
        ("POST", "secrets"),
        ("POST", "secrets/rotate"),
        ("POST", "secrets/rotate/complete"),
        ("POST", "secrets/rotate/cancel"),
        ("DELETE", f"secrets/{secret['id']}"),
    ):
        answer = writer(method, f"/{boss}/{path}")
        assert problem(answer, 403)[0] == DENIED
        assert "sa_live_" not in answer.text
    assert writer.shown(f"/{boss}/secrets")["items"] == [secret]


@pytest.mark.parametrize(
    "patch",
    [
        {"jwks": {"keys": []}},
        {"allowed_networks": []},
        {"secrets_allowed": True},
        {"metadata": {"team": "mine"}},
        {"enabled": False},
        {"grants": None},
    ],
)
def test_a_stronger_account_is_not_changed(
    writer: RegistryClient, boss: str, patch: dict[str, object]
) -> None:
    before = writer.shown(f"/{boss}")

    assert problem(writer("PATCH", f"/{boss}", json=patch), 403)[0] == DENIED
    assert problem(writer("DELETE", f"/{boss}"), 403)[0] == DENIED
    assert writer.shown(f"/{boss}") == before


def test_neither_is_one_of_a_file(writer: RegistryClient) -> None:
    assert problem(writer("PATCH", "/admin", json={"enabled": False}), 403)[0] == DENIED
    assert writer.shown("/admin")["enabled"]


def test_a_token_for_less_gives_no_more_than_it_has(broker: RunningBroker) -> None:
    ci_token = broker.github_token(environment="admin", ref="refs/heads/ops")
    narrow = broker.exchange(ci_token, audience="broker", scope="broker:accounts:write").json()
    caller = RegistryClient(broker, {"Authorization": f"Bearer {narrow['access_token']}"})

    answer = caller("POST", json={"name": "x", "grants": {"broker": ["broker:accounts:read"]}})

    assert problem(answer, 403) == (DENIED, "grants.broker")
    assert caller("POST", json={"name": "x", "grants": {"plain": []}}).status_code == 201
