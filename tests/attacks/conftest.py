import logging
from collections.abc import Iterator

import pytest

from tests.attacks.refusals import LOG
from tests.running_broker import RunningBroker


@pytest.fixture(scope="session")
def live_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker for the tests that leave its clock and its issuers alone; it holds their keys."""
    with RunningBroker(tmp_path_factory.mktemp("broker")).serving() as broker:
        for token in (broker.github_token(), broker.gitlab_token()):
            assert broker.exchange(token).status_code == 200
        yield broker


@pytest.fixture
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker for one test alone, which has fetched nothing yet."""
    with RunningBroker(tmp_path_factory.mktemp("broker")).serving() as broker:
        yield broker


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
