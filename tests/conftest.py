"""What every test folder may ask for."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.redis_server import RedisServer, redis_server
from tests.running_broker import RunningBroker

# How long an example takes says nothing on a busy machine; speed is measured by `make bench`.
settings.register_profile("broker", deadline=None)
settings.load_profile("broker")


def pytest_configure() -> None:
    """Let the programs that tests start be interrupted.

    A shell lets what it runs in the background ignore SIGINT, and children inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def live_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Share one running broker among all tests that leave its state and clock as they are."""
    with RunningBroker(tmp_path_factory.mktemp("broker")).serving() as broker:
        yield broker


@pytest.fixture
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Run a broker for one test alone, which may move its clock and break its issuers."""
    with RunningBroker(tmp_path_factory.mktemp("broker")).serving() as broker:
        yield broker


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Share one server among the tests that leave it as it is; each finds it empty."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(shared_redis: RedisServer) -> RedisServer:
    shared_redis.command("FLUSHALL")
    return shared_redis
