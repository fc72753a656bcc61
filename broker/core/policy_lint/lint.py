"""The words of linting: a lint, its severity, what its function remarks, and a finding."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from broker.core.policy_lint.linted_set import LintedSet, Path


class Severity(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    """Somebody who should get no token can get one today, by what many people may do."""

    WARNING = "warning"
    """One event away from that, or not doing what it seems to do."""

    INFO = "info"
    """Worth knowing."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What one lint's function says about one place.

    `path` leads to a value in the files, from the map on: `("policies", NAME, "match", "ref")`;
    with `at_key` the key that ends it is meant. `message` says what could happen and what to write.
    """

    path: Path
    message: str
    at_key: bool = False


@dataclass(frozen=True, slots=True)
class Lint:
    """One kind of finding."""

    code: str
    severity: Severity
    title: str
    remarks: Callable[[LintedSet], Iterable[Remark]] | None = None
    """Finds it in a policy set; None where only the comments in the files show it."""

    @property
    def page(self) -> str:
        """The path of the page about it, in the project."""
        return f"docs/lints/{self.code}.md"


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark of one lint."""

    lint: Lint
    path: Path
    message: str
    at_key: bool = False
