from collections.abc import Iterator

import pytest

from tests.interop.near_misses import ALGORITHMS
from tests.issuer_keys.certificates import Authority, make_authority
from tests.parties.broker_at_work import BrokerAtWork, broker_at_work
from tests.verify.publishing import Publisher, publishing, signing_key


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls") / "authority", "127.0.0.1", "localhost")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerAtWork]:
    with broker_at_work(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="session")
def publisher() -> Iterator[Publisher]:
    """The keys that the near misses come from, as a broker publishes them."""
    with publishing(*map(signing_key, ALGORITHMS)) as served:
        yield served
