"""CPU per exchange with state in Redis, beside the same in SQLite: `python -m bench.bench_redis`.

The CPU of a row is that of the broker's processes; what the Redis server takes is told below.
"""

import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.exchanges import exchanges
from bench.rounds import FLOOR, ROUNDS, Row, table, take_turns
from bench.servers import GITHUB, bare, broker
from broker.testing import FakeIssuer
from tests.redis_server import RedisServer, redis_server

CONNECTIONS = 16
"""For each worker."""


def main() -> None:
    """Run the rounds and print the table."""
    issuer = FakeIssuer(GITHUB)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rows = [Row(FLOOR, stack.enter_context(bare()), lambda: exchanges(issuer, "es256"))]
        servers = []
        for workers in (1, 2):
            server = stack.enter_context(redis_server(folder / str(workers)))
            servers.append(server)
            for name, store in (("SQLite", "sqlite:data/broker.db"), ("Redis", server.url)):
                rows.append(
                    Row(
                        f"ES256, {name}, {workers} worker{'s' * (workers > 1)}",
                        stack.enter_context(broker(issuer, workers=workers, store=store)),
                        partial(exchanges, issuer, "es256"),
                        connections=CONNECTIONS * workers,
                    )
                )
        take_turns(rows)
        table(rows)
        for number, server in enumerate(servers, start=1):
            tell(server, number)


def tell(server: RedisServer, workers: int) -> None:
    """Print what a Redis server has used, for each event."""
    events = int(server.command("HGET", "{broker}:1:state", "seq"))
    info = dict(line.split(":", 1) for line in server.command("INFO").splitlines() if ":" in line)
    cpu = float(info["used_cpu_user"]) + float(info["used_cpu_sys"])
    memory = int(info["used_memory"])
    print(
        f"Redis for {workers}: {events} events in {ROUNDS} rounds, "
        f"{cpu / events * 1e6:.0f} µs of CPU and {memory / events:.0f} bytes for each"
    )


if __name__ == "__main__":
    main()
