from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest

from broker.core.redis_address import read_redis_address
from broker.stores.redis import RedisStore
from broker.testing import FrozenClock
from tests.issuer_keys.certificates import Authority, make_authority
from tests.redis_server import RedisServer, redis_server
from tests.stores.entries import NOW

Open = Callable[..., Awaitable[RedisStore]]


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a server for one test alone, which may end it."""
    with redis_server(tmp_path / "redis") as server:
        yield server


@pytest.fixture
async def opened(clock: FrozenClock) -> AsyncIterator[Open]:
    """Open stores that are closed in the end."""
    async with AsyncExitStack() as stack:

        async def open_store(url: str) -> RedisStore:
            store = await RedisStore.open(read_redis_address(url), clock)
            stack.push_async_callback(store.close)
            return store

        yield open_store


@pytest.fixture(autouse=True)
def _patient() -> Iterator[None]:
    """Have the stores wait long for what comes, as a busy machine may answer late."""
    with waiting(answer=60, replica=30):
        yield


@contextmanager
def impatient() -> Iterator[None]:
    """Have the stores wait for a short while only: nothing comes until the block ends."""
    with waiting(answer=0.3, replica=0.1):
        yield


@contextmanager
def waiting(*, answer: float, replica: float) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("broker.stores.redis_link.ANSWER_SECONDS", answer)
        patch.setattr("broker.stores.redis_link.CONNECT_SECONDS", answer)
        patch.setattr("broker.stores.redis_session.REPLICA_SECONDS", replica)
        patch.setattr("broker.stores.redis_writer.TURN_SECONDS", answer)
        yield


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Make the authority of a server that is named by its address alone."""
    return make_authority(tmp_path_factory.mktemp("tls") / "authority")
