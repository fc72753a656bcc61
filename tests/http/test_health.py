"""Liveness and readiness, with the status alone."""

import pytest

from broker.core.signing_keys import SigningKeySet
from broker.http.health import Health
from broker.ports import Committed, Entry, SigningKeyRow
from broker.testing import FrozenClock
from tests.grants.ports_in_memory import HeldSigningKeys
from tests.http.asgi import a_scope, receiving
from tests.running_broker import RunningBroker


class StoreThatIsReady:
    """A store of which only readiness is asked."""

    def __init__(self, *, ready: bool) -> None:
        self._ready = ready

    async def commit(self, entry: Entry) -> Committed:
        raise NotImplementedError

    async def signing_key_rows(self) -> list[SigningKeyRow]:
        raise NotImplementedError

    async def add_signing_key_row(self, row: SigningKeyRow) -> bool:
        raise NotImplementedError

    async def ready(self) -> bool:
        return self._ready

    async def close(self) -> None:
        raise NotImplementedError


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


async def test_a_broker_without_a_key_to_sign_with_is_not_ready() -> None:
    health = Health(StoreThatIsReady(ready=True), HeldSigningKeys(SigningKeySet(())), FrozenClock())

    from starlette.requests import Request  # noqa: PLC0415

    answer = await health.readyz(Request(a_scope("GET", "/readyz"), receiving()))

    assert answer.status_code == 503
    assert answer.body == b'{"status":"unready"}'
