"""How a broker comes to its server: by TLS, as a user with as few rights as the page names."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.core.audit_chain import Position
from broker.core.errors import ConfigurationError, Unavailable
from broker.core.limits import Rate, Total
from broker.core.redis_address import read_redis_address
from broker.ports import (
    AccountRow,
    AccountRows,
    ClaimsFilter,
    Committed,
    CountReport,
    EventFilter,
)
from broker.settings import SqliteStoreLocation
from broker.stores import redis_keys
from broker.stores.redis_limits import RedisLimits
from broker.system import UuidV7Identifiers
from tests.copying.filled import fill
from tests.copying.moving import moved, restoring
from tests.issuer_keys.certificates import Authority
from tests.redis_server import RedisServer
from tests.redis_store.conftest import Open, impatient
from tests.redis_store.wire import Wire, wire_to
from tests.stores.entries import NOW, a_key_row, a_spend, an_entry, an_event, put_keys

PASSWORD = "hunter2/%@:"
WRITTEN = "hunter2%2F%25%40%3A"


@pytest.fixture
def as_user(own_redis: RedisServer) -> str:
    """Make the user of the page; give its part of the URL."""
    own_redis.make_user(PASSWORD)
    return f"broker:{WRITTEN}@"


async def test_the_rights_that_the_page_names_are_enough(
    own_redis: RedisServer, as_user: str, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    url = own_redis.url.replace("//", f"//{as_user}")
    store = await opened(url)
    identifiers = UuidV7Identifiers()
    token_id = identifiers.new(NOW)
    for number in range(70):
        await store.commit(a_spend(str(number), id=identifiers.new(NOW), token_id=token_id))
    await store.commit(an_entry(claims={"actor": "octocat"}, reason="blocked"))
    row = AccountRow("cron", "account", "acme", deleted=False, content=b"content")
    epoch = await store.state_epoch()
    await store.change_account_rows(AccountRows(epoch, (row,), frozenset({"cron"}), (), (), ()))
    await put_keys(store, a_key_row())
    await store.add_sealed_row("name", b"content")
    await store.keep_policy_set("a", b"", NOW)
    await store.keep_policy_set("b", b"", NOW)
    await store.note_uses({"cron": {"cron": NOW}})

    assert await store.token_is_active(token_id, int(NOW) + 60)
    assert await store.revoke_token(token_id, int(NOW) + 60, an_event())
    assert await store.forget_policy_sets(1) == 1
    assert await store.events_with_claims(ClaimsFilter()) == [71]
    assert await store.erase_claims([71]) == 1
    assert len((await store.event_page(EventFilter(reason="blocked"))).events) == 1
    assert len((await store.event_page(EventFilter(since=NOW - 1))).events) == 72
    [event] = (await store.chain_page(9, 1)).events
    assert await store.prune_events(Position(event.sequence, event.hash), "signed") == 10
    assert await store.account_rows("account", organization="acme", after="", limit=10) == [row]
    assert await store.ready()
    limits = RedisLimits(read_redis_address(url))
    await limits.share([CountReport(b"key", Rate(10, 60), 1)], NOW)
    await limits.close()
    assert "lacks a right" not in caplog.text


async def test_the_user_of_the_page_may_wait_for_a_replica(
    own_redis: RedisServer, as_user: str, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    url = own_redis.url.replace("//", f"//{as_user}")
    await (await opened(url)).close()
    own_redis.command("HSET", redis_keys.STATE, "replicated", 1)
    store = await opened(url)

    with impatient(), pytest.raises(Unavailable):
        await store.commit(an_entry())
    assert "come to no replica in time" in caplog.text


async def test_a_right_that_is_missing_is_named(own_redis: RedisServer, opened: Open) -> None:
    own_redis.command("ACL", "SETUSER", "poor", "on", ">pw", "~*", "+hello", "+auth", "+client")

    with pytest.raises(ConfigurationError, match=r"the user lacks a right: .*'info'"):
        await opened(own_redis.url.replace("//", "//poor:pw@"))


async def test_the_rights_that_the_page_names_are_enough_to_move_a_store(
    own_redis: RedisServer, as_user: str, opened: Open, tmp_path: Path
) -> None:
    url = own_redis.url.replace("//", f"//{as_user}")
    store = await opened(url)
    await fill(store)
    await store.close()
    here, file = read_redis_address(url), SqliteStoreLocation(tmp_path / "backup.db")
    await moved(here, file, as_backup=True)
    await moved(file, here, succession=restoring(), replace=True)

    again = await opened(url)
    assert (await again.events(limit=1000))[-1]["type"] == "store.restored"


@pytest.fixture
async def encrypted(own_redis: RedisServer, authority: Authority) -> AsyncIterator[Wire]:
    async with wire_to(own_redis.port, authority.server) as wire:
        yield wire


async def test_a_server_is_reached_by_tls_as_a_user(
    encrypted: Wire, as_user: str, authority: Authority, opened: Open
) -> None:
    store = await opened(
        f"rediss://{as_user}127.0.0.1:{encrypted.port}?ca_file={authority.ca_file}"
    )

    assert await store.commit(an_entry()) == Committed(1)
    await store.close()


async def test_a_server_whose_certificate_nobody_knows_is_refused(
    encrypted: Wire, as_user: str, opened: Open
) -> None:
    with pytest.raises(ConfigurationError, match="CERTIFICATE_VERIFY_FAILED") as refused:
        await opened(f"rediss://{as_user}127.0.0.1:{encrypted.port}")
    assert "hunter2" not in str(refused.value)


async def test_a_server_of_another_name_is_refused(
    encrypted: Wire, authority: Authority, opened: Open
) -> None:
    with pytest.raises(ConfigurationError, match="CERTIFICATE_VERIFY_FAILED"):
        await opened(f"rediss://localhost:{encrypted.port}?ca_file={authority.ca_file}")


# --- Counts that are shared -----------------------------------------------------------------------


def report(own: int, key: bytes = b"key") -> CountReport:
    return CountReport(key, Rate(10, 60), own)


async def test_what_one_process_counts_another_hears(redis: RedisServer) -> None:
    one, other = (RedisLimits(read_redis_address(redis.url)) for _ in range(2))
    now = NOW + 0.1234567

    assert (await one.share([report(3)], now)).totals == [Total(now, 3)]
    shared = await other.share([report(2), report(1, b"else")], now + 1)
    assert shared.totals == [Total(now, 5), Total(now + 1, 1)]
    assert shared.processes == 2
    assert (await one.share([report(1)], now + 60)).totals == [Total(now + 60, 1)]
    assert (await one.share([], now + 6)).processes == 1
    await other.close()
    await one.close()
    assert redis.command("ZCARD", "{broker}:1:processes") == "0"


async def test_counts_that_nobody_needs_go_by_themselves(redis: RedisServer) -> None:
    limits = RedisLimits(read_redis_address(redis.url))
    await limits.share([report(1)], NOW)
    await limits.close()

    key = "{broker}:1:limit:" + b"key".hex()
    assert 0 < int(redis.command("TTL", key)) <= 180
