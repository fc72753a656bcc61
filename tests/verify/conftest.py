"""What tests of the verifier share: a server that publishes keys, a clock, a verifier."""

from collections.abc import Callable, Iterator

import pytest

from broker.testing import FrozenClock
from broker.verify import Verifier
from tests.verify.publishing import ALGORITHMS, AUDIENCE, NOW, Publisher, publishing, signing_key

MakeVerifier = Callable[..., Verifier]


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with publishing(*map(signing_key, ALGORITHMS)) as serving:
        yield serving


@pytest.fixture
def verifier(publisher: Publisher, clock: FrozenClock) -> Verifier:
    return Verifier(publisher.url, audience=AUDIENCE, clock=clock.now)
