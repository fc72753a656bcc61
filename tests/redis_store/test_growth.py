"""What lies in Redis is bounded: of everything that comes and goes, nothing is left behind."""

import asyncio
import re

from broker.core.audit_chain import Position
from broker.core.blocks import Block
from broker.core.limits import Rate
from broker.core.redis_address import read_redis_address
from broker.ports import AccountRow, AccountRows, CountReport, SecretRow
from broker.stores import redis_keys
from broker.stores.redis import RedisStore
from broker.stores.redis_limits import RedisLimits
from broker.testing import FrozenClock
from tests.redis_server import RedisServer
from tests.redis_store.conftest import Open
from tests.stores.entries import a_key_row, a_spend, an_entry, an_event, put_keys

DAY = 86_400


async def one_round(store: RedisStore, redis: RedisServer, day: int, clock: FrozenClock) -> None:
    """Do all that is done in a day: exchanges, changes that are undone, and pruning."""
    now = clock.now()
    names = [f"{day}-{number}" for number in range(200)]
    await asyncio.gather(
        *(
            store.commit(
                a_spend(
                    name,
                    expires_at=now + 300,
                    service_account="cron",
                    reason="blocked",
                    issuer=f"issuer-{day}",
                    policy_set=f"set-{day}",
                )
            )
            for name in names
        )
    )
    await store.keep_policy_set(f"set-{day}", b"content", now)
    secrets = [SecretRow(f"s-{day}-{n}", "cron", f"d-{day}-{n}".encode(), b"") for n in range(3)]
    row = AccountRow("cron", "account", "acme", deleted=False, content=b"content")
    for made, removed in ((tuple(secrets), ()), ((), tuple(each.secret_id for each in secrets))):
        epoch = await store.state_epoch()
        assert await store.change_account_rows(
            AccountRows(epoch, (row,), frozenset(), made, removed, (an_event(time=now),))
        )
        if made:
            await store.note_uses({"cron": {each.secret_id: now for each in secrets}})
    key = a_key_row(generation=day + 1)
    assert await put_keys(store, key)
    await store.add_sealed_row("name", b"content")
    for number in range(20):
        await store.revoke_token(f"t-{day}-{number}", int(now) + 60, an_event(time=now))
    block = Block(f"block-{day}", {"repository_id": str(day)}, "", now, "admin", now + 60)
    assert await store.set_block(block, an_event(time=now), at_most=10)
    await store.switch_issuer("github", an_event(time=now), enabled=False)
    await store.switch_issuer("github", an_event(time=now), enabled=True)
    limits = RedisLimits(read_redis_address(redis.url))
    await limits.share([CountReport(f"{day}".encode(), Rate(10, 60), 1)], now)
    await limits.close()
    clock.advance(DAY)
    # What is over goes with what comes.
    for _ in range(5):
        await asyncio.gather(*(store.commit(an_entry(time=clock.now())) for _ in range(64)))
    end = await store.chain_end()
    assert end is not None
    [last] = (await store.chain_page(end.sequence - 2, 1)).events
    assert await store.prune_events(Position(last.sequence, last.hash), "signed") > 0
    await store.forget_policy_sets(2)


def sizes(redis: RedisServer) -> dict[str, int]:
    """Give how many things lie under each key; keys that end by themselves are left out."""
    found = re.findall(r"\{broker\}[^'\"]+", redis.command("KEYS", "*"))
    lasting = [key for key in found if redis.command("TTL", key) == "-1"]
    counts = {"hash": "HLEN", "zset": "ZCARD", "set": "SCARD", "string": "EXISTS"}
    return {key: int(redis.command(counts[redis.command("TYPE", key)], key)) for key in lasting}


async def test_days_leave_no_more_behind_than_one(
    redis: RedisServer, opened: Open, clock: FrozenClock
) -> None:
    store = await opened(redis.url)
    counted: list[dict[str, int]] = []
    for day in range(5):
        await one_round(store, redis, day, clock)
        counted.append(sizes(redis))

    for found in counted[2], counted[4]:
        # Keys of the broker stay until they are removed by a change of their own.
        del found[redis_keys.SIGNING_KEYS]
        numbers = [key for key in found if key.startswith(redis_keys.EVENT)]
        assert len(numbers) == 1
        for key in numbers:
            del found[key]
    assert counted[4] == counted[2]
    assert set(counted[4]) == {
        redis_keys.STATE,
        redis_keys.EVENT_IDS,
        redis_keys.NAMED_SETS,
        redis_keys.SEALED,
        redis_keys.POLICY_SETS,
        redis_keys.POLICY_SETS_RAN,
        redis_keys.POLICY_SETS_KEPT_AT,
        redis_keys.accounts("account"),
        redis_keys.account_ids("account"),
        redis_keys.account_ids_of("account", "acme"),
        redis_keys.every_id_within("acme"),
        redis_keys.REVOCATIONS,
        redis_keys.BLOCKS,
    }
