"""Faults under load: `make chaos`, on SQLite and then on Redis, unless CHAOS_STORE names one.

Clients ask without a pause and keep a record of what they were told, while processes are killed,
stopped and started, the store is locked or taken away, and the policies change. In the end their
record is held against the broker's: nothing that was acknowledged may be missing, no token may have
counted twice, nothing may have been accepted that had to be refused.
"""

import asyncio
import os
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from broker.core.redis_address import read_redis_address
from broker.testing import FakeIssuer
from broker.testing.loopback import free_port
from chaos.clients import Clients
from chaos.faults import Faults
from chaos.installation import GITHUB, Installation
from chaos.record import ClientRecord
from chaos.verdict import Verdict, judge
from tests.redis_server import RedisServer, redis_server

STORES = os.environ.get("CHAOS_STORE", "sqlite redis").split()
SECONDS = float(os.environ.get("CHAOS_SECONDS", "120"))
WORKERS = int(os.environ.get("CHAOS_WORKERS", "2"))
CLIENTS = int(os.environ.get("CHAOS_CLIENTS", "8"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)


def main() -> int:
    """Run for a while and judge; 0 when every promise was kept."""
    good = True
    for store in STORES:
        print(
            f"{store}: {SECONDS:g} s, {WORKERS} workers, {CLIENTS} clients, CHAOS_SEED={SEED}",
            flush=True,
        )
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="broker-chaos-")))
            redis = None
            if store == "redis":
                redis = stack.enter_context(redis_server(folder / "redis"))
            verdict = asyncio.run(chaos(folder, redis))
        for fault in verdict.faults[:20]:
            print(f"  {fault}")
        print(verdict.line, flush=True)
        good = good and verdict.good
    return 0 if good else 1


async def chaos(folder: Path, redis: RedisServer | None) -> Verdict:
    """Run a broker in a folder, harm it under load, and compare the records."""
    rng = random.Random(SEED)
    issuer = FakeIssuer(GITHUB)
    store = {} if redis is None else {"store": redis.url}
    broker = Installation(folder, issuer, free_port(), workers=WORKERS, **store)
    record = ClientRecord()
    clients = Clients(broker.url, issuer, record, rng)
    await asyncio.to_thread(broker.start)
    try:
        until = asyncio.get_running_loop().time() + SECONDS
        asking = [asyncio.create_task(clients.run(until)) for _ in range(CLIENTS)]
        done = await Faults(broker, clients, rng, redis).run(until)
        await asyncio.gather(*asking)
        await asyncio.to_thread(broker.stop)
    finally:
        broker.kill()
    print("faults: " + ", ".join(f"{name} {count}" for name, count in done.items()))
    print(record.summary())
    kept = broker.database if redis is None else read_redis_address(redis.url)
    verdict = await judge(kept, record)
    if not verdict.good:
        print(broker.log_errors())
    return verdict


if __name__ == "__main__":
    sys.exit(main())
