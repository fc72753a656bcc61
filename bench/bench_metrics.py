"""CPU per exchange of a broker that counts, beside one that does not: `make bench-metrics`."""

import statistics
from contextlib import ExitStack
from functools import partial

from bench.exchanges import exchanges
from bench.rounds import FLOOR, Row, table, take_turns, write
from bench.servers import GITHUB, bare, broker
from broker.testing import FakeIssuer


def main() -> None:
    """Run the rounds and print the table."""
    issuer = FakeIssuer(GITHUB)
    with ExitStack() as stack:
        floor = stack.enter_context(bare())
        counting = stack.enter_context(broker(issuer))
        silent = stack.enter_context(broker(issuer, counts=False))
        asked = partial(exchanges, issuer, "es256")
        rows = [
            Row(FLOOR, floor, asked),
            Row("exchange, counted", counting, asked),
            Row("exchange, not counted", silent, asked),
        ]
        take_turns(rows)
        numbers = table(rows)
        counted, uncounted = rows[1].rounds, rows[2].rounds
        ratios = [
            one.cpu_per_request / other.cpu_per_request
            for one, other in zip(counted, uncounted, strict=True)
        ]
        ratio = statistics.median(ratios)
        print(f"counted to not counted: {ratio:.3f} (min {min(ratios):.3f}, max {max(ratios):.3f})")
        write("metrics", {"rows": numbers, "ratio": ratio})


if __name__ == "__main__":
    main()
