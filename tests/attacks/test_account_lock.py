"""Rows 123 and 178: guesses at a secret are limited, and lock nobody out by a name."""

from pathlib import Path

import httpx
import pytest

from broker.core.errors import RateLimited
from broker.core.limits import Rate
from broker.core.refusal_counts import RefusalCounts
from broker.grants.limit_sharing import LimitSharing
from broker.grants.rate_limits import RateLimits
from broker.grants.request import Caller
from broker.settings import RateLimitSettings
from broker.stores.sqlite_limits import SqliteLimits
from broker.system import UuidV7Identifiers
from broker.testing import FrozenClock
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

ATTACKER, OWNER = "203.0.113.66", "198.51.100.1"
FIVE = Rate(5, 60)


async def guess(limits: RateLimits, address: str, client_id: str) -> bool:
    """Guess wrong; tell whether the answer still says so."""
    try:
        await limits.failed_account(Caller("r", address), client_id, 0.0)
    except RateLimited:
        return False
    return True


async def test_guesses_for_an_account_lock_neither_its_owner_nor_other_accounts(
    tmp_path: Path,
) -> None:
    counts = SqliteLimits(tmp_path / "broker.db")
    clock = FrozenClock(0.0)
    limits = RateLimits(
        LimitSharing(counts, clock), RefusalCounts(UuidV7Identifiers().new), failed=FIVE
    )

    told = [await guess(limits, ATTACKER, "deploy") for _ in range(20)]

    assert told == [True] * 5 + [False] * 15
    assert await guess(limits, OWNER, "deploy")
    assert await guess(limits, ATTACKER, "other")
    await counts.close()


async def test_an_account_that_is_not_there_is_limited_like_one_that_is(tmp_path: Path) -> None:
    counts = SqliteLimits(tmp_path / "broker.db")
    limits = RateLimits(
        LimitSharing(counts, FrozenClock(0.0)),
        RefusalCounts(UuidV7Identifiers().new),
        failed=FIVE,
    )

    for client_id in ("deploy", "nobody", "Deploy", "deploy\0", "\udcff"):
        told = [await guess(limits, ATTACKER, client_id) for _ in range(6)]
        assert told == [True] * 5 + [False]
    await counts.close()


@pytest.mark.parametrize("forwarded", [False, True])
def test_guesses_over_http_end_at_the_limit(tmp_path: Path, forwarded: bool) -> None:
    limits = RateLimitSettings(client=None, address=None, failed=FIVE)
    with special_broker(tmp_path, rate_limits=limits) as broker:
        told = [
            with_secret(broker, str(each), f"192.0.2.{each}" if forwarded else None)
            for each in range(20)
        ]

        assert {each.status_code for each in told[:5]} <= {400, 401}
        assert {each.status_code for each in told[5:]} == {429}
        assert "www-authenticate" not in told[-1].headers
        assert broker.exchange(broker.github_token()).status_code == 200


def with_secret(broker: RunningBroker, secret: str, forwarded: str | None) -> httpx.Response:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    form = {"grant_type": "client_credentials"}
    return broker.post(form, auth=("deploy-web", secret), headers=headers)
