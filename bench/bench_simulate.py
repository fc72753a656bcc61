"""A month of decisions, decided again by a changed set of 1,000 policies. `make bench-simulate`.

The command itself runs, on an export of true events with their chain. `BENCH_DECISIONS` is how many
there are; `BENCH_EXPORT` names a file that is kept between runs.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.table import Row, Spread, print_rows
from tests.month_of_traffic import BROKER, Month, texts_of_the_month

EVENTS = int(os.environ.get("BENCH_DECISIONS", "1000000"))
ROUNDS = 1
RESULTS = Path("build/bench/simulate.json")
REPOSITORIES, PROJECTS = 450, 100


@dataclass(frozen=True, slots=True)
class Took:
    """What one run of the command took."""

    cpu: float
    wall: float
    megabytes: float


def main() -> None:
    """Measure, print the table, and write it as JSON."""
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        kept = os.environ.get("BENCH_EXPORT")
        export = Path(kept) if kept else folder / "audit.jsonl"
        if not export.exists():
            fill(export, EVENTS)
        beginning = folder / "beginning.jsonl"
        copy_lines(export, beginning, EVENTS // 10)
        write_policies(folder / "policies")
        few = [simulate(beginning, folder) for _ in range(ROUNDS)]
        many = [simulate(export, folder) for _ in range(ROUNDS)]
    tell("broker policies simulate, 1,000 policies", few, many, RESULTS)


def tell(title: str, few: Sequence[Took], many: Sequence[Took], results: Path) -> None:
    """Print what runs on a tenth of the events and on all of them took, and write it as JSON."""
    rows = [
        Row(f"{EVENTS:,} events", Spread.of([each.cpu for each in many]), "s of CPU", "< 60"),
        Row("each", Spread.of([each.cpu / EVENTS * 1e6 for each in many]), "µs of CPU"),
        Row("from beginning to end", Spread.of([each.wall for each in many]), "s"),
        Row(f"memory, {EVENTS // 10:,}", Spread.of([each.megabytes for each in few]), "MB"),
        Row(f"memory, {EVENTS:,}", Spread.of([each.megabytes for each in many]), "MB", "flat"),
    ]
    print_rows(title, rows)
    results.parent.mkdir(parents=True, exist_ok=True)
    members = [row.as_json() for row in rows]
    results.write_text(json.dumps(members, indent=2, ensure_ascii=False))


def fill(export: Path, events: int, *, observed: bool = False) -> None:
    """Write an export of so many decisions, and what else a broker records between them."""
    with export.open("w") as file:
        month = Month(events, REPOSITORIES, PROJECTS, kept=False, observed=observed)
        file.writelines(month.lines())


def copy_lines(source: Path, target: Path, count: int) -> None:
    """Copy the first lines of a file."""
    with source.open() as lines, target.open("w") as file:
        file.writelines(line for _, line in zip(range(count), lines, strict=False))


def write_policies(folder: Path) -> None:
    """Write the policies of the month, some of them changed."""
    folder.mkdir()
    for name, text in texts_of_the_month(REPOSITORIES, PROJECTS).items():
        # Of a tenth of the repositories another branch may deploy.
        other = text.replace("ref: refs/heads/main\n", "ref: refs/heads/x\n")
        (folder / name).write_text(other if name.endswith("7.yaml") else text)


def simulate(export: Path, folder: Path) -> Took:
    """Run the command, and take what its process took."""
    took, done = timed("simulate", export, folder / "policies")
    if done.returncode != 1 or not json.loads(done.stdout)["newly_denied"]:
        raise SystemExit(f"the simulation found nothing: {done.stderr}")
    return took


def timed(
    command: str, export: Path, policies: Path, *options: str
) -> tuple[Took, subprocess.CompletedProcess[str]]:
    """Run a command of `broker policies` on an export, and take what its process took."""
    line = [sys.executable, "-m", "broker", "policies", command, "--against", str(export)]
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*line, "--json", *options, str(policies)],
        env=os.environ | {"BROKER_ISSUER": BROKER},
        capture_output=True,
        check=False,
        text=True,
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return Took(cpu, wall, after.ru_maxrss / 1024), done


if __name__ == "__main__":
    main()
