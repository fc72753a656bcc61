import pytest

from tests.running_broker import RunningBroker


@pytest.fixture(scope="session")
def broker(live_broker: RunningBroker) -> RunningBroker:
    """Serve the tests that leave its clock alone."""
    return live_broker
