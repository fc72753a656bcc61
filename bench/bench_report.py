"""A month of decisions, and what it says of 1,000 policies. `make bench-report`.

The command itself runs, with every report, on an export of true events with their chain.
`BENCH_DECISIONS` is how many there are; `BENCH_EXPORT` names a file that is kept between runs.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.bench_simulate import (
    EVENTS,
    PROJECTS,
    REPOSITORIES,
    ROUNDS,
    Took,
    copy_lines,
    fill,
    tell,
    timed,
)
from tests.month_of_traffic import texts_of_the_month

RESULTS = Path("build/bench/report.json")
BY_SUB = """\
policies:
  repo-7-by-sub:
    service_account: deployer
    issuer: github
    match: {repository_id: 9000007, sub: "repo:acme/repo-7:ref:refs/heads/main"}
"""


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
        few = [report(beginning, folder) for _ in range(ROUNDS)]
        many = [report(export, folder) for _ in range(ROUNDS)]
    tell("broker policies report, 1,000 policies", few, many, RESULTS)


def write_policies(folder: Path) -> None:
    """Write the policies of the month: a tenth of them end soon, and one is about `sub`."""
    folder.mkdir()
    soon = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()
    for name, text in texts_of_the_month(REPOSITORIES, PROJECTS).items():
        ending = text.replace("issuer: github\n", f"issuer: github\n    expires: {soon}\n", 1)
        (folder / name).write_text(ending if name.endswith("3.yaml") else text)
    (folder / "by-sub.yaml").write_text(BY_SUB)


def report(export: Path, folder: Path) -> Took:
    """Run the command, and take what its process took."""
    took, done = timed("report", export, folder / "policies")
    if done.returncode:
        raise SystemExit(f"the report failed: {done.stderr}")
    found = json.loads(done.stdout)
    for name in ("over_broad", "sub_form", "expiring"):
        if not any(found[name].values()):
            raise SystemExit(f"the report {name} found nothing")
    return took


if __name__ == "__main__":
    main()
