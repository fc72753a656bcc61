"""A broker of today, a service that trusts it, and the component project."""

import time
from collections.abc import Iterator

import pytest

from tests.gitlab.component_project import ComponentProject, require_programs
from tests.protected_service import protected_service
from tests.running_broker import RunningBroker


@pytest.fixture(scope="module")
def today_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Run a broker at the time that the service's own clock shows."""
    folder = tmp_path_factory.mktemp("broker")
    with RunningBroker(folder, now=time.time()).serving() as broker:
        yield broker


@pytest.fixture(scope="module")
def deploy_api(today_broker: RunningBroker) -> Iterator[str]:
    """The URL of the service that deploys."""
    with protected_service(today_broker.url) as url:
        yield url


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> ComponentProject:
    """The component project; its pipeline is each test's own."""
    require_programs()
    return ComponentProject.cloned(tmp_path_factory.mktemp("gitlab") / "broker")
