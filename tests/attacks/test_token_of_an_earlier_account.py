"""Attack 144: a token of an account that is gone is shown as one of its namesake."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client_secrets import ask
from tests.registry_api import OPERATORS, RegistryClient, calling, problem
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

FILE = "writer: {grants: {broker: ["
POLICY = "  by-writer:\n"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    with special_broker(tmp_path, OPERATORS) as running:
        yield running


def without_writer(broker: RunningBroker) -> None:
    """Take the account `writer` out of the files."""
    lines = OPERATORS.splitlines(keepends=True)
    [account] = [place for place, line in enumerate(lines) if FILE in line]
    [policy] = [place for place, line in enumerate(lines) if line == POLICY]
    kept = [
        line
        for place, line in enumerate(lines)
        if place != account and not policy <= place < policy + 4
    ]
    (broker.folder / "policies" / "more.yaml").write_text("".join(kept))
    broker.reload(forced=True)
    assert "writer" not in broker.in_force().service_accounts


def test_a_token_of_a_file_account_is_none_of_an_account_that_is_made_later(
    broker: RunningBroker,
) -> None:
    admin, of_file = calling(broker, "admin"), calling(broker, "writer")
    assert of_file("GET").status_code == 200
    without_writer(broker)
    assert problem(of_file("GET"), 401)[0] == "INVALID_API_KEY"
    broker.clock.advance(1)

    made = admin.create(client_id="writer", grants={"broker": ["broker:*"]})

    assert problem(of_file("GET"), 401)[0] == "INVALID_API_KEY"
    answer = ask(broker, "writer", made["client_secret"], audience="broker")
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert RegistryClient(broker, headers)("GET").status_code == 200


def test_a_token_of_a_deleted_account_stays_dead(broker: RunningBroker) -> None:
    admin = calling(broker, "admin")
    made = admin.create(client_id="nightly", grants={"broker": ["broker:*"]})
    answer = ask(broker, "nightly", made["client_secret"], audience="broker")
    nightly = RegistryClient(broker, {"Authorization": f"Bearer {answer.json()['access_token']}"})
    assert nightly("GET").status_code == 200
    admin("DELETE", "/nightly")

    again = admin("POST", json={"name": "x", "client_id": "nightly"})

    assert problem(again, 409)[0] == "CONFLICT"
    assert problem(nightly("GET"), 401)[0] == "INVALID_API_KEY"
