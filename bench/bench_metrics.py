"""CPU per exchange of a broker that is observed, beside one that is not: `make bench-metrics`."""

import statistics
from contextlib import ExitStack
from functools import partial

from bench.collector import collector
from bench.exchanges import exchanges
from bench.rounds import FLOOR, Row, table, take_turns, write
from bench.servers import GITHUB, bare, broker
from broker.testing import FakeIssuer

PLAIN = "exchange"
EVERY = {"OTEL_TRACES_SAMPLER": "parentbased_always_on"}


def main() -> None:
    """Run the rounds and print the table."""
    issuer = FakeIssuer(GITHUB)
    with ExitStack() as stack:
        traced = {
            "BROKER_OTEL__ENDPOINT": stack.enter_context(collector()),
            # So that a round pays for its own spans.
            "OTEL_BSP_SCHEDULE_DELAY": "500",
        }
        servers = {
            FLOOR: bare(),
            PLAIN: broker(issuer),
            "exchange, not counted": broker(issuer, counts=False),
            "exchange, events printed": broker(
                issuer, environment={"BROKER_AUDIT__STDOUT": "true"}
            ),
            "exchange, every one traced": broker(issuer, environment=traced | EVERY),
            "exchange, one in ten traced": broker(issuer, environment=traced),
        }
        asked = partial(exchanges, issuer, "es256")
        rows = [Row(name, stack.enter_context(each), asked) for name, each in servers.items()]
        take_turns(rows)
        numbers = table(rows)
        plain = rows[1].rounds
        ratios = {}
        for row in rows[2:]:
            found = [
                one.cpu_per_request / other.cpu_per_request
                for one, other in zip(row.rounds, plain, strict=True)
            ]
            ratios[row.name] = statistics.median(found)
            print(f"{row.name}: {ratios[row.name]:.3f} of a plain one"
                  f" (min {min(found):.3f}, max {max(found):.3f})")  # fmt: skip
        write("metrics", {"rows": numbers, "ratios": ratios})


if __name__ == "__main__":
    main()
