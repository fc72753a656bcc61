"""Liveness and readiness, with the status alone."""

from pathlib import Path

import pytest
from starlette.requests import Request

from broker.core.signing_keys import SigningKeySet
from broker.http.health import Health
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.grants.ports_in_memory import HeldSigningKeys
from tests.http.asgi import a_scope, receiving
from tests.running_broker import RunningBroker


@pytest.mark.parametrize(("path", "status"), [("/healthz", "ok"), ("/readyz", "ready")])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_broker_that_serves_says_so(
    broker: RunningBroker, path: str, status: str, method: str
) -> None:
    answer = broker.request(method, path)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    if method == "GET":
        assert answer.json() == {"status": status}


async def test_a_broker_without_a_key_to_sign_with_is_not_ready(tmp_path: Path) -> None:
    clock = FrozenClock()
    store = await SqliteStore.open(tmp_path / "broker.db", clock)
    health = Health(store, HeldSigningKeys(SigningKeySet(())), clock)

    answer = await health.readyz(Request(a_scope("GET", "/readyz"), receiving()))

    await store.close()
    assert answer.status_code == 503
    assert answer.body == b'{"status":"unready"}'
