"""Texts that carry a mark before each place where a problem is expected."""

from broker.core.errors import Problem

MARK = "►"


def split_marks(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Give the text without its marks, and line and column of each."""
    places: list[tuple[int, int]] = []
    lines: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        plain = ""
        for index, part in enumerate(line.split(MARK)):
            if index:
                places.append((number, len(plain) + 1))
            plain += part
        lines.append(plain)
    return "\n".join(lines), places


def places_of(problems: tuple[Problem, ...]) -> list[tuple[int, int]]:
    return [(problem.line, problem.column) for problem in problems]
