"""A month of decisions, from which ids are learned for 1,000 policies. `make bench-pin`.

The command itself runs, on an export of true events with their chain. `BENCH_DECISIONS` is how many
there are; `BENCH_EXPORT` names a file that is kept between runs, as for `make bench-simulate`.
"""

import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.bench_simulate import EVENTS, PROJECTS, REPOSITORIES, Took, copy_lines, fill
from bench.table import Row, Spread, print_rows
from tests.month_of_traffic import BROKER, texts_of_the_month

RESULTS = Path("build/bench/pin.json")


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
        few, many = pin(beginning, folder), pin(export, folder)
    rows = [
        Row(f"{EVENTS:,} events", Spread.of([many.cpu]), "s of CPU", "< 60"),
        Row("each", Spread.of([many.cpu / EVENTS * 1e6]), "µs of CPU"),
        Row("from beginning to end", Spread.of([many.wall]), "s"),
        Row(f"memory, {EVENTS // 10:,}", Spread.of([few.megabytes]), "MB"),
        Row(f"memory, {EVENTS:,}", Spread.of([many.megabytes]), "MB", "flat"),
    ]
    print_rows("broker policies pin, 1,000 policies", rows)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    members = [row.as_json() for row in rows]
    RESULTS.write_text(json.dumps(members, indent=2, ensure_ascii=False))


def write_policies(folder: Path) -> None:
    """Write the policies of the month by names alone."""
    folder.mkdir()
    for name, text in texts_of_the_month(REPOSITORIES, PROJECTS).items():
        number = re.sub(r"[^0-9]", "", name)
        beside = re.sub(r"(      repository: \S+\n)      repository_id: [0-9]+\n", r"\1", text)
        alone = f"      repository: acme/repo-{number}\n"
        by_name = re.sub(r"      repository_id: [0-9]+\n", alone, beside)
        (folder / name).write_text(re.sub(r", project_id: [0-9]+", "", by_name))


def pin(export: Path, folder: Path) -> Took:
    """Run the command, and take what its process took."""
    line = [sys.executable, "-m", "broker", "policies", "pin", "--against", str(export)]
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*line, "--json", str(folder / "policies")],
        env=os.environ | {"BROKER_ISSUER": BROKER},
        capture_output=True,
        check=False,
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(done.stdout) if done.returncode == 0 else {"files": [], "faults": []}
    if len(found["files"]) < (REPOSITORIES + PROJECTS) // 2 or found["faults"]:
        raise SystemExit(f"the command found nothing: {done.stderr.decode()}")
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return Took(cpu, wall, after.ru_maxrss / 1024)


if __name__ == "__main__":
    main()
