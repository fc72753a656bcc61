"""Policies in great number: decisions, explanations, loading, reloading. Part of `make bench`.

`BENCH_ROUNDS`, `BENCH_POLICIES`, `BENCH_SECONDS` and `BENCH_RATE` make it shorter or longer.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.decisions import measure_decisions
from bench.loading import measure_loading
from bench.policy_folder import FILES, GITHUB, PER_FILE, PolicyFolder
from bench.reloads import measure_reloads, measure_traffic, serving
from bench.table import Row, print_rows
from broker.testing import FakeIssuer

RESULTS = Path("build/bench/policies.json")


def main() -> None:
    """Measure, print each table when it is there, and write them all as JSON."""
    tables: dict[str, list[Row]] = {}

    def tell(title: str, rows: list[Row]) -> None:
        tables[title] = rows
        print_rows(title, rows)

    decisions, explanations = measure_decisions()
    tell("One decision, CPU", decisions)
    tell("One explanation of a refusal, CPU", explanations)
    issuer = FakeIssuer(GITHUB)
    with TemporaryDirectory() as directory:
        folder = PolicyFolder(Path(directory, "policies"))
        folder.write(issuer)
        size = folder.size() / 1e6
        print(f"\n{FILES * PER_FILE:,} policies in {FILES} files, {size:.1f} MB:")
        tell("Loading", measure_loading(folder))
        with serving(folder, issuer) as served:
            tell("Reload with one changed file", measure_reloads(served))
            tell("Traffic during reloads", measure_traffic(served))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    members = {title: [row.as_json() for row in rows] for title, rows in tables.items()}
    RESULTS.write_text(json.dumps(members, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
