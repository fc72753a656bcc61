"""A month of decisions beside an observed set, reported in both views. `make bench-observed`.

The export and the command are those of `bench_simulate.py`; beside its 1,000 policies stand 551
observed ones. `BENCH_DECISIONS` is how many events there are; `BENCH_OBSERVED_EXPORT` names a file
that is kept between runs.
"""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.bench_simulate import EVENTS, PROJECTS, REPOSITORIES, Took, copy_lines, fill, timed
from bench.table import Row, Spread, print_rows
from tests.month_of_traffic import observed_texts, texts_of_the_month

RESULTS = Path("build/bench/observed.json")
VIEWS = {"beside": (), "alone": ("--alone",)}


def main() -> None:
    """Measure, print the table, and write it as JSON."""
    rows: list[Row] = []
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        kept = os.environ.get("BENCH_OBSERVED_EXPORT")
        export = Path(kept) if kept else folder / "audit.jsonl"
        if not export.exists():
            fill(export, EVENTS, observed=True)
        beginning = folder / "beginning.jsonl"
        copy_lines(export, beginning, EVENTS // 10)
        (folder / "policies").mkdir()
        texts = texts_of_the_month(REPOSITORIES, PROJECTS) | observed_texts(REPOSITORIES, PROJECTS)
        for name, text in texts.items():
            (folder / "policies" / name).write_text(text)
        for view, options in VIEWS.items():
            few, many = (
                report(each, folder, "--fail-on", "would_deny", *options)
                for each in (beginning, export)
            )
            rows += [
                Row(f"{view}, {EVENTS:,} events", Spread.of([many.cpu]), "s of CPU", "< 60"),
                Row(f"{view}, each", Spread.of([many.cpu / EVENTS * 1e6]), "µs of CPU"),
                Row(f"{view}, memory, {EVENTS // 10:,}", Spread.of([few.megabytes]), "MB"),
                Row(f"{view}, memory, {EVENTS:,}", Spread.of([many.megabytes]), "MB", "flat"),
            ]
    print_rows("broker policies observed, 1,000 policies and 551 observed", rows)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    members = [row.as_json() for row in rows]
    RESULTS.write_text(json.dumps(members, indent=2, ensure_ascii=False))


def report(export: Path, folder: Path, *options: str) -> Took:
    """Run the command, and take what its process took."""
    took, done = timed("observed", export, folder / "policies", *options)
    if done.returncode != 1 or not json.loads(done.stdout)["would_deny"]:
        raise SystemExit(f"the report found nothing: {done.stderr}")
    return took


if __name__ == "__main__":
    main()
