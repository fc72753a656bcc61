from collections.abc import Iterator

import pytest

from tests.running_broker import RunningBroker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker for the tests that leave its clock alone."""
    with RunningBroker(tmp_path_factory.mktemp("broker")).serving() as broker:
        yield broker
