"""CPU per exchange of a broker that counts, beside one that does not: `make bench-metrics`."""

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
        write("metrics", {"rows": table(rows)})


if __name__ == "__main__":
    main()
