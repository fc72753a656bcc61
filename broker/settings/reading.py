"""What was given, read key by key, while every problem is collected."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from broker.core.errors import Problem
from broker.settings.kinds import Fault, Key, Unusable
from broker.settings.sources import Given, KeyPath

T = TypeVar("T")


class Reading:
    """Reads the values of keys; one that cannot be used is reported and read as its default."""

    def __init__(
        self,
        given: Mapping[KeyPath, Given],
        problems: list[Problem],
        *,
        file: str,
        working_directory: Path,
    ) -> None:
        self._given = given
        self._file = file
        self._working_directory = working_directory
        self._refused: set[KeyPath] = set()
        self.problems = problems

    def value(self, key: Key[T]) -> T:
        """Give the value of a key, its default when it has none that can be used."""
        given = self._given.get(key.path)
        if given is None:
            return key.default
        try:
            from_text = given.document is None
            return key.accept(key.from_text(str(given.value)) if from_text else given.value)
        except Unusable as unusable:
            self._refused.add(key.path)
            self.problems += [given.problem(each) for each in unusable.faults]
            return key.default

    def path(self, key: Key[str], default: Path | None = None) -> Path:
        """Give the complete path that a key names: from the file's folder if a file names it."""
        given = self._given.get(key.path)
        text = self.value(key)
        if given is None:
            return default or self._working_directory / text
        return given.base / text

    def given(self, key: Key[Any]) -> Given | None:
        """Give what was given for a key, None when its default holds."""
        return self._given.get(key.path)

    def sound(self, *keys: Key[Any]) -> bool:
        """Tell whether nothing is wrong with any of these keys by itself."""
        return self._refused.isdisjoint(key.path for key in keys)

    def report(self, key: Key[Any], message: str) -> None:
        """Add a problem of a key, at the place where it was given."""
        self.problems.append(self.problem(key, message))

    def problem(self, key: Key[Any], message: str) -> Problem:
        """Describe a problem of a key, at the place where it was given."""
        given = self._given.get(key.path)
        if given is None:
            return Problem(self._file, 0, 0, f"{'.'.join(key.path)}: {message}")
        return given.problem(Fault(message))
