"""Rows of measurements: a median with its spread."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """What several runs of one measurement gave, in the unit of the row."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Sum up at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; `goal` is what is demanded, as a text."""

    name: str
    spread: Spread
    unit: str
    goal: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give plain members."""
        return asdict(self)


def print_rows(title: str, rows: Sequence[Row]) -> None:
    """Print one table."""
    print(f"\n{title:58} {'median':>9} {'min':>9} {'max':>9}  unit  demanded")
    for row in rows:
        spread = row.spread
        numbers = f"{spread.median:9.2f} {spread.least:9.2f} {spread.most:9.2f}"
        print(f"  {row.name:56} {numbers}  {row.unit:5} {row.goal}")
