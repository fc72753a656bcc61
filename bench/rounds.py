"""Rounds of measurements: every row once per round, in turn, and what comes of them.

Rows of one round share the state of the machine, so a ratio is taken within each round, and the
median is over rounds. The microseconds depend on the machine and on its neighbours.
"""

import json
import os
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import Measured, measure, pin
from bench.servers import Server

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
REQUESTS = int(os.environ.get("BENCH_REQUESTS", "2000"))
FLOOR = "bare POST"


@dataclass(slots=True)
class Row:
    """What is measured: a server under a load, each request of its own bodies."""

    name: str
    server: Server
    bodies: Callable[[], Sequence[bytes]]
    path: str = "/oauth/token"
    connections: int = 16
    rounds: list[Measured] = field(default_factory=list)


def take_turns(rows: Sequence[Row], beside: Callable[[], None] = lambda: None) -> None:
    """Measure every row once per round; `beside` is called once per round, too."""
    # The load on one core, what is measured on another.
    pin(os.getpid(), 0)
    for row in rows:
        pin(row.server.pid, 1)
    for number in range(ROUNDS + 1):
        for row in rows:
            result = measure(
                row.server.pid, row.server.port, row.bodies(), row.connections, path=row.path
            )
            if result.refused:
                sys.exit(f"{row.name}: {result.refused} of {result.requests} were refused")
            if number:  # the first round warms up
                row.rounds.append(result)
        beside()


def table(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Print medians, spread and ratios to the floor, and give the same as numbers."""
    floor = [each.cpu_per_request for each in rows[0].rounds]
    print(f"{'':34} {'CPU µs':>7} {'min':>6} {'max':>6} {'x bare':>7} {'min':>6} {'max':>6}"
          f" {'p50 ms':>7} {'p99 ms':>7} {'p99/p50':>8}")  # fmt: skip
    numbers = {}
    for row in rows:
        cpu = [each.cpu_per_request for each in row.rounds]
        ratios = [own / bare for own, bare in zip(cpu, floor, strict=True)]
        p50 = [each.percentile(0.5) for each in row.rounds]
        p99 = [each.percentile(0.99) for each in row.rounds]
        numbers[row.name] = {
            "cpu_us": statistics.median(cpu),
            "cpu_us_min": min(cpu),
            "cpu_us_max": max(cpu),
            "times_bare": statistics.median(ratios),
            "times_bare_min": min(ratios),
            "times_bare_max": max(ratios),
            "p50_ms": statistics.median(p50),
            "p99_ms": statistics.median(p99),
            "p99_to_p50": statistics.median(
                each / half for each, half in zip(p99, p50, strict=True)
            ),
        }
        print("{:34} {:7.0f} {:6.0f} {:6.0f} {:7.2f} {:6.2f} {:6.2f} {:7.2f} {:7.2f} {:8.1f}"
              .format(row.name, *numbers[row.name].values()))  # fmt: skip
    return numbers


def write(name: str, results: Mapping[str, object]) -> None:
    """Keep the numbers as JSON below build/bench."""
    file = Path("build/bench", f"{name}.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    load = dict(zip(("1m", "5m", "15m"), os.getloadavg(), strict=True))
    facts = {"rounds": ROUNDS, "requests": REQUESTS, "cores": os.cpu_count(), "load": load}
    file.write_text(json.dumps({**results, **facts}, indent=2) + "\n")
    print(f"{ROUNDS} rounds of {REQUESTS} requests, 16 connections; load average {load['1m']:.1f};"
          f" the numbers are in {file}")  # fmt: skip
