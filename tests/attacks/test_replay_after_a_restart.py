"""Row 43, over a restart: the configuration changes, what was spent stays spent."""

from dataclasses import replace
from pathlib import Path

import pytest

from broker.core.vocabulary import MAX_LEEWAY
from broker.settings import Settings
from tests.attacks.refusals import assert_refused
from tests.running_broker import NOW, RunningBroker
from tests.service_tokens import verified


class Lenient(RunningBroker):
    """Accepts tokens that expired as long ago as a broker may accept them."""

    def settings(self) -> Settings:
        return replace(super().settings(), leeway=MAX_LEEWAY)


def test_a_longer_leeway_revives_no_spent_token(tmp_path: Path) -> None:
    with RunningBroker(tmp_path).serving() as broker:
        token = broker.github_token(exp=int(NOW) + 60)
        verified(broker, broker.exchange(token))

    with Lenient(tmp_path, now=NOW + 60 + MAX_LEEWAY - 1).serving() as broker:
        # Of what has expired, the store forgets some with every commit.
        verified(broker, broker.exchange(broker.github_token()))

        assert_refused(broker, broker.exchange(token), "token_already_used")


@pytest.mark.parametrize("seconds", [MAX_LEEWAY, MAX_LEEWAY + 60])
def test_a_token_is_over_when_the_longest_leeway_is(tmp_path: Path, seconds: int) -> None:
    with Lenient(tmp_path).serving() as broker:
        token = broker.github_token(exp=int(NOW) + 60)
        broker.clock.advance(60 + seconds)

        assert_refused(broker, broker.exchange(token), "token_expired")
