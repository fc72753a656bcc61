"""What every test folder may ask for."""

import signal
import time
from collections.abc import Iterator

import pytest
from hypothesis import settings

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
