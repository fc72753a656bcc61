import logging
from collections.abc import Iterator

import pytest

from tests.attacks.hostile_issuers import HostileIssuers, serving_hostile_issuers
from tests.attacks.key_publisher import KeyPublisher, publishing
from tests.attacks.outbound import WatchedBroker
from tests.attacks.presenting import WAYS, Present
from tests.attacks.refusals import LOG
from tests.running_broker import RunningBroker


@pytest.fixture(scope="session")
def live_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker for the tests that leave its clock and its issuers alone; it holds their keys."""
    with WatchedBroker(tmp_path_factory.mktemp("broker")).serving() as broker:
        for token in (broker.github_token(), broker.gitlab_token()):
            assert broker.exchange(token).status_code == 200
        yield broker


@pytest.fixture
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker for one test alone, which has fetched nothing yet."""
    with WatchedBroker(tmp_path_factory.mktemp("broker")).serving() as broker:
        yield broker


@pytest.fixture(scope="session")
def hostile_issuers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileIssuers]:
    """A broker whose trusted issuers publish what a test wants; its clock is left alone."""
    with serving_hostile_issuers(tmp_path_factory.mktemp("broker")) as issuers:
        yield issuers


@pytest.fixture(scope="session")
def issuers_over_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileIssuers]:
    """The same, for the tests that move its clock forward."""
    with serving_hostile_issuers(tmp_path_factory.mktemp("broker")) as issuers:
        yield issuers


@pytest.fixture
def attacker() -> Iterator[KeyPublisher]:
    """A server that the broker is lured to, and that must never hear of it."""
    with publishing() as server:
        yield server


@pytest.fixture(params=WAYS)
def present(request: pytest.FixtureRequest) -> Present:
    """Each way in which a token can be presented, one after the other."""
    return WAYS[request.param]


@pytest.fixture(autouse=True)
def everything_logged_is_recorded() -> Iterator[None]:
    """Record what the broker logs during a test, from its lowest level up."""
    root, package = logging.getLogger(), logging.getLogger("broker")
    level = package.level
    LOG.clear()
    root.addHandler(LOG)
    package.setLevel(logging.DEBUG)
    yield
    package.setLevel(level)
    root.removeHandler(LOG)
