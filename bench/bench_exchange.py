"""CPU per exchange, beside a bare Starlette POST and the cryptography alone: `make bench`."""

import statistics
from contextlib import ExitStack
from functools import partial

from bench.crypto_alone import CryptoAlone
from bench.exchanges import exchanges
from bench.load import resident_megabytes
from bench.rounds import FLOOR, Row, table, take_turns, write
from bench.servers import GITHUB, bare, broker
from broker.testing import FakeIssuer

WORKERS = (1, 2)
"""A pair of rows for each of these numbers of processes."""

CONNECTIONS = 16
"""For each worker."""


def main() -> None:
    """Run the rounds and print the table."""
    issuer, crypto = FakeIssuer(GITHUB), CryptoAlone()
    with ExitStack() as stack:
        floor = stack.enter_context(bare())
        brokers = {each: stack.enter_context(broker(issuer, workers=each)) for each in WORKERS}
        rows = [Row(FLOOR, floor, lambda: exchanges(issuer, "es256"))]
        for workers, server in brokers.items():
            # The load of one exchange: parse, verify, decide, commit with sync, sign, answer.
            # Each worker has as many connections as the one alone: what they share of a
            # transaction depends on how many wait for it.
            name = f"{workers} worker" + "s" * (workers > 1)
            rows += [
                Row(
                    f"exchange, {algorithm}, {name}",
                    server,
                    partial(exchanges, issuer, algorithm.lower()),
                    connections=CONNECTIONS * workers,
                )
                for algorithm in ("ES256", "RS256")
            ]
        rows.append(
            Row(
                f"the same, {CONNECTIONS} connections in all",
                brokers[WORKERS[-1]],
                lambda: exchanges(issuer, "es256"),
                connections=CONNECTIONS,
            )
        )
        take_turns(rows, crypto.measure)
        numbers = table(rows)
        alone = {name: statistics.median(each) for name, each in crypto.rounds.items()}
        print("alone, µs: " + ", ".join(f"{name} {each:.0f}" for name, each in alone.items()))
        places = {
            f"{workers} workers": {"ready_s": each.ready, "rss_mb": resident_megabytes(each.pid)}
            for workers, each in brokers.items()
        }
        for name, place in places.items():
            print(
                f"{name}: ready after {place['ready_s']:.2f} s, {place['rss_mb']:.0f} MB resident"
            )
    write("exchange", {"rows": numbers, "alone_us": alone, "servers": places})


if __name__ == "__main__":
    main()
