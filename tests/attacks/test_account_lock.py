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
from tests.client_secrets import an_account, ask, give
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


FIVE_FAILURES = RateLimitSettings(client=None, address=None, failed=FIVE)
WRONG = "sa_live_" + "x" * 56


def reasons(answers: list[httpx.Response]) -> list[str]:
    return [each.json()["reason"] for each in answers]


@pytest.mark.parametrize("forwarded", [False, True])
def test_guesses_end_at_the_limit_and_the_right_secret_is_served(
    tmp_path: Path, forwarded: bool
) -> None:
    with special_broker(tmp_path, rate_limits=FIVE_FAILURES) as broker:
        account, other = an_account(), an_account()
        secret = give(broker, account)
        told = [guess_over_http(broker, account.client_id, each, forwarded) for each in range(20)]

        assert reasons(told) == ["client_unknown_or_bad_secret"] * 5 + ["rate_limited"] * 15
        assert {each.status_code for each in told[5:]} == {429}
        assert "www-authenticate" not in told[-1].headers
        assert {ask(broker, account.client_id, secret).status_code for _ in range(10)} == {200}
        assert reasons([ask(broker, other.client_id, WRONG)]) == ["client_unknown_or_bad_secret"]


def test_nobody_learns_by_the_limit_which_accounts_there_are(tmp_path: Path) -> None:
    with special_broker(tmp_path, rate_limits=FIVE_FAILURES) as broker:
        account = an_account()
        give(broker, account)
        known = [ask(broker, account.client_id, WRONG) for _ in range(8)]
        unknown = [ask(broker, "no-such-account", WRONG) for _ in range(8)]

        assert reasons(known) == reasons(unknown)


def test_names_of_any_length_fill_no_memory(tmp_path: Path) -> None:
    with special_broker(tmp_path, rate_limits=FIVE_FAILURES) as broker:
        told = [ask(broker, "x" * 30_000 + str(each), WRONG) for each in range(6)]

        assert reasons(told)[-1] == "rate_limited"


def test_what_an_account_may_not_have_is_limited_and_what_it_may_is_served(tmp_path: Path) -> None:
    with special_broker(tmp_path, rate_limits=FIVE_FAILURES) as broker:
        account = an_account()
        secret = give(broker, account)
        told = [ask(broker, account.client_id, secret, audience="billing") for _ in range(8)]

        assert reasons(told) == ["target_unknown"] * 5 + ["rate_limited"] * 3
        assert ask(broker, account.client_id, secret).status_code == 200


def test_an_account_that_asks_too_often_stops_no_other(tmp_path: Path) -> None:
    limits = RateLimitSettings(client=FIVE, address=None, failed=None)
    with special_broker(tmp_path, rate_limits=limits) as broker:
        busy, other = an_account(), an_account()
        secrets = {each.client_id: give(broker, each) for each in (busy, other)}
        told = [ask(broker, busy.client_id, secrets[busy.client_id]) for _ in range(8)]

        assert [each.status_code for each in told] == [200] * 5 + [429] * 3
        assert ask(broker, other.client_id, secrets[other.client_id]).status_code == 200


def guess_over_http(
    broker: RunningBroker, client_id: str, number: int, forwarded: bool
) -> httpx.Response:
    """Guess wrong by Basic, each time from another address if one believes the header."""
    headers = {"X-Forwarded-For": f"192.0.2.{number}"} if forwarded else {}
    return broker.post(
        {"grant_type": "client_credentials"}, auth=(client_id, WRONG), headers=headers
    )
