"""What a Redis server takes for the exchanges that the audit keeps: `python -m bench.redis_memory`.

BENCH_EVENTS exchanges are committed as a broker commits them, evenly over a day by a clock that is
held: so tokens are forgotten as they expire. Then the server is killed and started anew.
"""

import asyncio
import os
import random
import re
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench.event_crowd import ACCOUNTS, PERMIT
from broker.core.platforms import GITHUB
from broker.core.redis_address import read_redis_address
from broker.ports import Committed, Entry, Spend
from broker.stores.redis import RedisStore
from broker.system import UuidV7Identifiers
from broker.testing import FrozenClock, github_claims
from tests.redis_server import RedisServer, redis_server

EVENTS = int(os.environ.get("BENCH_EVENTS", "100000"))
DAY = 86_400
BEGINS = 1_787_500_000.0
AT_ONCE = 200
"""As many requests share a commit as come while the one before is written."""

TOKEN_LIFE = 300 + 60
"""Of a CI token, with the leeway."""

NOT_REWRITTEN = ("--auto-aof-rewrite-percentage", "0")


def main() -> None:
    """Fill a server, and print what it took."""
    with (
        tempfile.TemporaryDirectory() as folder,
        redis_server(Path(folder) / "redis", *NOT_REWRITTEN) as server,
    ):
        empty = used(server)
        filled_in = asyncio.run(fill(server))
        full = used(server)
        log = size(Path(folder))
        server.kill()
        began = time.perf_counter()
        server.start()
        until_loaded(server)
        loaded_in = time.perf_counter() - began
        server.command("BGREWRITEAOF")
        began = time.perf_counter()
        while info(server, "aof_rewrite_in_progress") + info(server, "aof_rewrite_scheduled"):
            time.sleep(0.05)
        rewritten_in = time.perf_counter() - began
        print(f"{EVENTS} exchanges in {filled_in:.0f} s")
        print(f"memory: {(full - empty) / EVENTS:.0f} bytes each, {full / 1e6:.0f} MB in all")
        print(f"after a restart: {(used(server) - empty) / EVENTS:.0f} bytes each")
        print(f"log: {log / EVENTS:.0f} bytes each, rewritten {size(Path(folder)) / EVENTS:.0f}")
        print(f"a start takes {loaded_in:.1f} s, to rewrite the log {rewritten_in:.1f} s")
        print(f"copied meanwhile: {info(server, 'aof_last_cow_size') / 1e6:.0f} MB")


async def fill(server: RedisServer) -> float:
    """Commit the exchanges; give the seconds that it took."""
    clock, rng = FrozenClock(BEGINS), random.Random(5)
    store = await RedisStore.open(read_redis_address(server.url), clock)
    draw = UuidV7Identifiers()
    began = time.perf_counter()
    for _ in range(EVENTS // AT_ONCE):
        clock.advance(DAY * AT_ONCE / EVENTS)
        entries = [an_exchange(clock.now(), rng, draw) for _ in range(AT_ONCE)]
        for receipt in await asyncio.gather(*map(store.commit, entries)):
            if not isinstance(receipt, Committed):
                raise TypeError(receipt)
    took = time.perf_counter() - began
    await store.close()
    return took


def an_exchange(now: float, rng: random.Random, draw: UuidV7Identifiers) -> Entry:
    """Make a permitted exchange with GitHub's full claims."""
    # Some accounts have most of the events, as in life.
    account = f"account-{int(ACCOUNTS * rng.random() ** 3)}"
    claims = github_claims(run_id=str(rng.getrandbits(36))) | {
        "iss": GITHUB.issuer,
        "aud": "https://broker.example.com",
        "jti": draw.new(now),
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + 300,
    }
    event = replace(
        PERMIT,
        id=draw.new(now),
        time=now,
        issuer="github",
        claims={name: claims[name] for name in sorted(claims.keys() & GITHUB.audit_claims)},
        service_account=account,
        sub=account,
        policies=(f"{account}-main",),
        token_id=draw.new(now),
    )
    spend = Spend(rng.randbytes(32), int(now) + TOKEN_LIFE, int(now))
    return Entry(event, spend, lambda: replace(event, reason="token_already_used"))


def info(server: RedisServer, name: str) -> int:
    """Give a figure of the server."""
    found = re.search(rf"^{name}:(\d+)", server.command("INFO"), re.MULTILINE)
    return int(found[1]) if found else 0


def used(server: RedisServer) -> int:
    """Give the bytes of its memory that are in use."""
    return info(server, "used_memory")


def size(folder: Path) -> int:
    """Give the bytes of its log."""
    return sum(file.stat().st_size for file in folder.rglob("appendonly.aof.*"))


def until_loaded(server: RedisServer) -> None:
    """Wait until it has read its log."""
    while info(server, "loading"):
        time.sleep(0.01)


if __name__ == "__main__":
    main()
