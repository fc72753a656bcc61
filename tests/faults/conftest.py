from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.testing import FakeIssuer
from broker.testing.loopback import free_port
from chaos.installation import GITHUB, Installation
from tests.faults.job import Job


@pytest.fixture(scope="session")
def issuer() -> FakeIssuer:
    return FakeIssuer(GITHUB)


@pytest.fixture
def broker(tmp_path: Path, issuer: FakeIssuer) -> Iterator[Installation]:
    """A broker that is about to start, as a process of its own."""
    installation = Installation(tmp_path, issuer, free_port(), workers=1)
    yield installation
    installation.kill()


@pytest.fixture
def job(broker: Installation, issuer: FakeIssuer) -> Job:
    return Job(broker, issuer)
