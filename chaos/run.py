"""Faults under load: `make chaos`.

Clients ask without a pause and keep a record of what they were told, while processes are killed,
stopped and started, the store is locked and the policies change. In the end their record is held
against the broker's: nothing that was acknowledged may be missing, no token may have counted twice,
nothing may have been accepted that had to be refused.
"""

import asyncio
import os
import random
import socket
import sys
import tempfile
from pathlib import Path

from broker.testing import FakeIssuer
from chaos.clients import Clients
from chaos.faults import Faults
from chaos.installation import GITHUB, Installation
from chaos.record import ClientRecord
from chaos.verdict import Verdict, judge

SECONDS = float(os.environ.get("CHAOS_SECONDS", "120"))
WORKERS = int(os.environ.get("CHAOS_WORKERS", "2"))
CLIENTS = int(os.environ.get("CHAOS_CLIENTS", "8"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)


def main() -> int:
    """Run for a while and judge; 0 when every promise was kept."""
    print(f"{SECONDS:g} s, {WORKERS} workers, {CLIENTS} clients, CHAOS_SEED={SEED}", flush=True)
    with tempfile.TemporaryDirectory(prefix="broker-chaos-") as folder:
        verdict = asyncio.run(chaos(Path(folder)))
    for fault in verdict.faults[:20]:
        print(f"  {fault}")
    print(verdict.line)
    return 0 if verdict.good else 1


async def chaos(folder: Path) -> Verdict:
    """Run a broker in a folder, harm it under load, and compare the records."""
    rng = random.Random(SEED)
    issuer = FakeIssuer(GITHUB)
    broker = Installation(folder, issuer, _free_port(), workers=WORKERS)
    record = ClientRecord()
    clients = Clients(broker.url, issuer, record, rng)
    await asyncio.to_thread(broker.start)
    try:
        until = asyncio.get_running_loop().time() + SECONDS
        asking = [asyncio.create_task(clients.run(until)) for _ in range(CLIENTS)]
        done = await Faults(broker, clients, rng).run(until)
        await asyncio.gather(*asking)
        await asyncio.to_thread(broker.stop)
    finally:
        broker.kill()
    print("faults: " + ", ".join(f"{name} {count}" for name, count in done.items()))
    print(record.summary())
    verdict = await judge(broker.database, record)
    if not verdict.good:
        print(broker.log_errors())
    return verdict


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
