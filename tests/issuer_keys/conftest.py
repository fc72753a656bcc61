from collections.abc import AsyncIterator

import pytest

from broker.issuer_keys import HttpIssuerKeys
from broker.testing import FrozenClock
from tests.issuer_keys.certificates import Authority, make_authority
from tests.issuer_keys.key_server import KeyServer


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls") / "authority")


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def server() -> AsyncIterator[KeyServer]:
    """A server on 127.0.0.1 that publishes `k1`."""
    async with KeyServer() as server:
        server.publish("k1")
        yield server


@pytest.fixture
async def other_server() -> AsyncIterator[KeyServer]:
    """A second one, with the same key id."""
    async with KeyServer() as server:
        server.publish("k1")
        yield server


@pytest.fixture
async def tls_server(authority: Authority) -> AsyncIterator[KeyServer]:
    async with KeyServer(tls=authority.server) as server:
        server.publish("k1")
        yield server


@pytest.fixture
async def keys(clock: FrozenClock) -> AsyncIterator[HttpIssuerKeys]:
    """The keys as a broker on loopback fetches them; no jitter."""
    keys = HttpIssuerKeys(clock, broker_on_loopback=True, rng=lambda: 0.0)
    yield keys
    await keys.close()


@pytest.fixture
async def hasty_keys(clock: FrozenClock) -> AsyncIterator[HttpIssuerKeys]:
    """The same, with little patience for a slow issuer."""
    keys = HttpIssuerKeys(clock, broker_on_loopback=True, rng=lambda: 0.0, fetch_deadline=0.3)
    yield keys
    await keys.close()
