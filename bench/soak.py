"""Ten minutes under load: `make soak`. Memory must stay flat once it is warm.

The state is in SQLite, or with `BENCH_STORE=redis` in a Redis server of its own.

The resident memory of the process that serves is read every few seconds. What counts is how much
the median of the last third lies above that of the second.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.exchanges import exchanges
from bench.load import measure, own_resident_megabytes, resident_megabytes
from bench.servers import GITHUB, broker
from broker.testing import FakeIssuer
from tests.redis_server import RedisServer, redis_server

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
STORE = os.environ.get("BENCH_STORE", "sqlite")
POLICIES = 1000
ALLOWED_MEGABYTES = {"sqlite": 90, "redis": 100}
ALLOWED_GROWTH = 2.0
RESULTS = Path("build/bench") / ("soak.json" if STORE == "sqlite" else f"soak-{STORE}.json")


def main() -> int:
    """Ask for as long as wanted; 0 when memory stayed flat and within its bound."""
    if STORE not in ALLOWED_MEGABYTES:
        sys.exit(f"BENCH_STORE is {STORE}: write sqlite or redis")
    issuer = FakeIssuer(GITHUB)
    samples: list[float] = []
    answered = 0
    redis: RedisServer | None = None
    with ExitStack() as stack:
        store = "sqlite:data/broker.db"
        if STORE == "redis":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            redis = stack.enter_context(redis_server(folder))
            store = redis.url
        server = stack.enter_context(broker(issuer, policies=POLICIES, store=store))
        before = 0 if redis is None else used_memory(redis)
        ends_at = time.monotonic() + SECONDS
        while time.monotonic() < ends_at:
            result = measure(server.pid, server.port, exchanges(issuer, "es256"))
            if result.refused:
                sys.exit(f"{result.refused} of {result.requests} were refused")
            answered += result.requests
            samples.append(own_resident_megabytes(server.pid))
            print(f"{answered:9} exchanges  {samples[-1]:6.1f} MB", flush=True)
        reader = resident_megabytes(server.pid) - samples[-1]
        if redis is not None:
            each = (used_memory(redis) - before) / answered
            print(f"Redis has taken {each:.0f} bytes for each exchange")
    third = max(len(samples) // 3, 1)
    warm, last = statistics.median(samples[third : 2 * third]), statistics.median(samples[-third:])
    growth = last - warm
    print(f"the process that reads policies: {reader:.1f} MB")
    print(f"{POLICIES} policies, {answered} exchanges in {SECONDS:g} s")
    print(f"{warm:.1f} MB in the second third, {last:.1f} MB in the last: {growth:+.1f} MB")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"exchanges": answered, "rss_mb": samples, "growth_mb": growth}))
    allowed = ALLOWED_MEGABYTES[STORE]
    flat = growth <= ALLOWED_GROWTH and last <= allowed
    print("flat" if flat else f"more than {ALLOWED_GROWTH} MB of growth, or {allowed} MB")
    return 0 if flat else 1


def used_memory(server: RedisServer) -> int:
    """Tell how many bytes a Redis server uses."""
    lines = server.command("INFO", "memory").splitlines()
    return next(int(line.split(":")[1]) for line in lines if line.startswith("used_memory:"))


if __name__ == "__main__":
    sys.exit(main())
