"""Row 147: an account sends another one's token under its own credentials."""

from collections.abc import Iterator

import pytest

from tests.client_secrets import ask
from tests.http.test_revocation import counts, revoke
from tests.registry_api import OPERATORS, RegistryClient, calling
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), OPERATORS) as running:
        yield running


@pytest.mark.parametrize(
    "fellow",
    [
        {"grants": {"broker": ["broker:accounts:read"]}},
        {"grants": {"plain": []}},
        {"grants": {"broker": ["broker:*"]}, "organization": "umbrella"},
        {"grants": {"broker": ["broker:accounts:write"]}, "organization": "umbrella"},
    ],
)
@pytest.mark.parametrize("organization", [None, "acme"])
def test_the_token_stays(
    broker: RunningBroker, fellow: dict[str, object], organization: str | None
) -> None:
    admin = calling(broker, "admin")
    grants = {"broker": ["broker:accounts:read"]}
    owner = admin.create(grants=grants, organization=organization)
    token = ask(broker, owner["id"], owner["client_secret"], audience="broker").json()
    other = admin.create(**fellow)
    before = broker.events()[-1]

    answer = revoke(
        broker,
        token["access_token"],
        client_id=other["id"],
        client_secret=other["client_secret"],
    )

    assert answer.status_code == 400
    assert answer.json()["error"] == "unauthorized_client"
    assert counts(broker, token["access_token"])
    assert "token.revoked" not in [each["type"] for each in broker.events()[before["seq"] :]]


def test_an_organization_ends_its_own_accounts_tokens_alone(broker: RunningBroker) -> None:
    operator = calling(broker, "acme-admin")
    owner = operator.create(grants={"broker": ["broker:accounts:read"]})
    token = ask(broker, owner["id"], owner["client_secret"], audience="broker").json()
    assert counts(broker, token["access_token"])
    fellow = operator.create(grants={"broker": ["broker:accounts:*"]})

    answer = revoke(
        broker,
        token["access_token"],
        client_id=fellow["id"],
        client_secret=fellow["client_secret"],
    )

    assert answer.status_code == 200
    assert not counts(broker, token["access_token"])


def test_a_token_of_nobody_revokes_nothing(broker: RunningBroker) -> None:
    """Signed by another key under the broker's `kid`."""
    admin = calling(broker, "admin")
    good = admin.headers["Authorization"].removeprefix("Bearer ")
    head, payload, signature = good.split(".")
    forged = f"{head}.{payload}.{signature[:-8]}AAAAAAAA"

    assert revoke(broker, forged).status_code == 200
    assert RegistryClient(broker, admin.headers)("GET").status_code == 200


def test_a_weaker_account_does_not_end_the_token_of_a_stronger_one(broker: RunningBroker) -> None:
    admin = calling(broker, "admin")
    token = admin.headers["Authorization"].removeprefix("Bearer ")
    weaker = admin.create(grants={"broker": ["broker:accounts:write"]})

    answer = revoke(broker, token, client_id=weaker["id"], client_secret=weaker["client_secret"])

    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    assert counts(broker, token)
