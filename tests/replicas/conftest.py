from collections.abc import Iterator

import pytest

from tests.redis_server import redis_server
from tests.replicas.several_brokers import Replica, an_operator, two_replicas


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Replica]]:
    """Two brokers on one Redis, the second with two workers; tests leave them as they find them."""
    folder = tmp_path_factory.mktemp("replicas")
    with (
        redis_server(folder / "redis") as server,
        two_replicas(folder, server, workers=(1, 2)) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def admin(both: list[Replica]) -> str:
    """The API key of an operator, whom nothing in these tests stops."""
    return an_operator(both[0])


@pytest.fixture(scope="session")
def gateway(both: list[Replica], admin: str) -> dict[str, str]:
    """The credentials of the account that may introspect."""
    made = both[0].api(admin, "POST", "service-accounts/gateway/secrets")
    assert made.status_code == 201, made.text
    return {"client_id": "gateway", "client_secret": made.json()["client_secret"]}
