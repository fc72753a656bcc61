"""What every test folder may ask for."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.redis_server import RedisServer, redis_server
from tests.running_broker import RunningBroker

# How long an example takes says nothing on a busy machine; speed is measured by `make bench`.
# With SAME_EXAMPLES a run draws what the one before drew: CI fails by what was changed alone.
settings.register_profile(
    "broker",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="SAME_EXAMPLES" in os.environ,
)
settings.load_profile("broker")


class _PatientSys:
    """The module `sys` as threads see it when they start and coverage is to trace them.

    Of two threads that begin to be traced at the same moment, Python 3.11 refuses one, which then
    never starts.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)

    def settrace(self, hook: Any) -> None:
        """Try until the other thread is through."""
        for _ in range(1000):
            try:
                sys.settrace(hook)
            except RuntimeError:
                time.sleep(0.001)
            else:
                return
        sys.settrace(hook)


def pytest_configure() -> None:
    """Let threads be traced by turns, and the programs that tests start be interrupted.

    A shell lets what it runs in the background ignore SIGINT, and children inherit that.
    """
    if sys.version_info < (3, 12):
        threading._sys = _PatientSys()  # type: ignore[attr-defined]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def live_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Share one running broker among all tests that leave its state and clock as they are."""
    with RunningBroker(tmp_path_factory.mktemp("broker")).serving() as broker:
        yield broker


@pytest.fixture(scope="session")
def _broker_of_today(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with RunningBroker(tmp_path_factory.mktemp("broker"), now=time.time()).serving() as broker:
        yield broker


@pytest.fixture
def today_broker(_broker_of_today: RunningBroker) -> RunningBroker:
    """Share one running broker among tests of programs with clocks of their own: it is as late."""
    _broker_of_today.clock.advance(time.time() - _broker_of_today.clock.now())
    return _broker_of_today


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
