"""What `broker policies check` has to tell, whether or not the files load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from broker.core.errors import Problem
from broker.core.printable import printable
from broker.policy_files.check import CheckReport, PlacedFinding
from broker.yaml_document import MAX_BYTES

LOAD: Final = "load"
"""The code of what keeps the files from loading. It is no lint, and cannot be accepted."""

LOAD_TITLE: Final = "The policy files do not load"

Level = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Told:
    """One finding, or one problem that keeps the files from loading.

    `line` and `column` count from 1; 0 means the file as a whole. `reason` is why it is accepted.
    """

    file: str
    line: int
    column: int
    level: Level
    code: str
    message: str
    title: str
    page: str | None = None
    reason: str | None = None

    def __str__(self) -> str:
        """Give `file:line:col: level[code] message`."""
        file = printable(self.file)
        place = f"{file}:{self.line}:{self.column}" if self.line else file
        return f"{place}: {self.level}[{self.code}] {self.message}"


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of one check."""

    findings: tuple[Told, ...]
    accepted: tuple[Told, ...] = ()
    loads: bool = True
    policies: int = 0
    """How many there are."""

    _lines: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)

    @classmethod
    def of_report(cls, report: CheckReport, policies: int) -> "Checked":
        """Tell what was found in files that load."""
        return cls(
            findings=tuple(_finding(each) for each in report.findings),
            accepted=tuple(_finding(each.finding, each.reason) for each in report.accepted),
            policies=policies,
            _lines={file: document.lines for file, document in report.sources.items()},
        )

    @classmethod
    def of_problems(cls, problems: Sequence[Problem]) -> "Checked":
        """Tell why the files do not load."""
        files = {problem.file for problem in problems if problem.line}
        return cls(
            findings=tuple(
                Told(
                    problem.file, problem.line, problem.column, "error", LOAD, problem.message,
                    LOAD_TITLE,
                )
                for problem in problems
            ),
            loads=False,
            _lines={file: _lines_on_disk(Path(file)) for file in files},
        )  # fmt: skip

    def count(self, level: Level) -> int:
        """Count the findings of one level."""
        return sum(told.level == level for told in self.findings)

    def source_line(self, told: Told) -> str | None:
        """Give the line that a finding names, None when there is none to show."""
        lines = self._lines.get(told.file, ())
        return lines[told.line - 1] if 0 < told.line <= len(lines) else None


def _finding(found: PlacedFinding, reason: str | None = None) -> Told:
    lint = found.lint
    return Told(
        found.file, found.line, found.column, lint.severity.value, lint.code, found.message,
        lint.title, lint.page, reason,
    )  # fmt: skip


def _lines_on_disk(path: Path) -> Sequence[str]:
    """Read a file that did not load, for showing lines of it."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace").split("\n")
    except OSError:
        return ()
