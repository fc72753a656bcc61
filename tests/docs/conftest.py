"""What the tests of several pages share."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.docs.brokers_of_pages import GuideBrokers


@pytest.fixture(scope="session")
def guide_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuideBrokers]:
    """Brokers with the policies of the guides."""
    with ExitStack() as stack:
        yield GuideBrokers(tmp_path_factory, stack)
