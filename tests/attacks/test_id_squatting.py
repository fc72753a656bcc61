"""Attack 144: an id that others want, or had, is taken; what was revoked is revived by its name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.ports import Rejected
from tests.registry_api import OPERATORS, RegistryClient, calling, problem
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("squatting"), OPERATORS) as running:
        yield running


@pytest.fixture
def admin(broker: RunningBroker) -> RegistryClient:
    return calling(broker, "admin")


def test_the_id_of_a_file_account_is_not_given(admin: RegistryClient) -> None:
    answer = admin("POST", json={"name": "x", "client_id": "deploy-web"})

    assert problem(answer, 409) == ("CONFLICT", "client_id")


def test_an_id_is_given_once_and_never_again(admin: RegistryClient) -> None:
    admin.create(client_id="once")
    assert problem(admin("POST", json={"name": "x", "client_id": "once"}), 409)[0] == "CONFLICT"
    assert admin("DELETE", "/once").status_code == 204

    again = admin("POST", json={"name": "x", "client_id": "once"})

    assert problem(again, 409) == ("CONFLICT", "client_id")


@pytest.mark.parametrize("client_id", ["m-0123456789abcdefghjk", "m-x", "m-"])
def test_a_generated_id_cannot_be_asked_for(admin: RegistryClient, client_id: str) -> None:
    answer = admin("POST", json={"name": "x", "client_id": client_id})

    assert problem(answer, 400) == ("INVALID_REQUEST", "client_id")


@pytest.mark.parametrize(
    "client_id",
    ["repo:octo-org/octo-repo", "a/b", "Deploy-web", "deploy_web", "a b", "a\u0301b", "a" * 64],
)
def test_an_id_cannot_pass_for_a_workload(admin: RegistryClient, client_id: str) -> None:
    answer = admin("POST", json={"name": "x", "client_id": client_id})

    assert problem(answer, 400) == ("INVALID_REQUEST", "client_id")


@pytest.mark.parametrize("deleted", [False, True])
def test_a_file_does_not_take_the_id_of_an_account_that_was_made(
    tmp_path: Path, deleted: bool
) -> None:
    with special_broker(tmp_path, OPERATORS) as running:
        admin = calling(running, "admin")
        admin.create(client_id="nightly")
        if deleted:
            admin("DELETE", "/nightly")
        before = running.in_force().version
        (tmp_path / "policies" / "late.yaml").write_text(
            'service_accounts: {nightly: {grants: {broker: ["broker:*"]}, secrets: allowed}}'
        )

        outcome = running.reload(forced=True)

        assert isinstance(outcome, Rejected)
        assert "`nightly`" in outcome.problems[0].message
        assert running.in_force().version == before
        assert running.request("GET", "/readyz").json() == {"status": "degraded"}

    with special_broker(tmp_path, OPERATORS) as running:
        assert "nightly" not in running.in_force().service_accounts
        assert running.request("GET", "/readyz").json() == {"status": "degraded"}
