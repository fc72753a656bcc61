"""Linting loaded policy files: findings with their place, and the comments that accept them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from broker.core.policy_lint import Lint, LintedSet, Path, Written, lint
from broker.policy_files.allow_comments import AllowComment, allow_comments, fault_of
from broker.policy_files.build import LoadedPolicies, without_collection
from broker.policy_files.document_entries import MODELS
from broker.yaml_document import Document


@dataclass(frozen=True, slots=True)
class PlacedFinding:
    """A finding in a file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    lint: Lint
    message: str
    """What could happen and what to write; the path of the lint's page comes last."""


@dataclass(frozen=True, slots=True)
class AcceptedFinding:
    """A finding that a comment accepts, and why."""

    finding: PlacedFinding
    reason: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was found in one or several sets, by place; what comments accept apart."""

    findings: tuple[PlacedFinding, ...]
    accepted: tuple[AcceptedFinding, ...]
    sources: Mapping[str, Document] = field(repr=False)


@without_collection()
def check(sets: Sequence[LoadedPolicies], now: float) -> CheckReport:
    """Lint sets that may share files; `now` is in seconds since the epoch.

    What is found in several sets is told once.
    """
    sources = {file: document for each in sets for file, document in each.sources.items()}
    first_lines = {found: line for each in sets for found, line in _findings(each, now)}
    comments = [each for document in sources.values() for each in allow_comments(document)]
    by_place = {(each.file, each.line, each.code): each for each in reversed(comments)}
    used: set[AllowComment] = set()
    left: list[PlacedFinding] = []
    accepted: list[AcceptedFinding] = []
    for found, first_line in first_lines.items():
        places = [(found.file, line, found.lint.code) for line in (found.line, first_line)]
        accepting = [by_place[place] for place in places if place in by_place]
        used.update(accepting)
        if accepting:
            accepted.append(AcceptedFinding(found, accepting[0].reason))
        else:
            left.append(found)
    for comment in comments:
        fault = fault_of(comment, used=comment in used)
        if fault is not None:
            left.append(_placed((comment.file, comment.line, comment.column), *fault))
    return CheckReport(
        tuple(sorted(left, key=_order)),
        tuple(sorted(accepted, key=lambda each: _order(each.finding))),
        sources,
    )


def _findings(loaded: LoadedPolicies, now: float) -> list[tuple[PlacedFinding, int]]:
    """Give the findings of one set, each with the first line of the entry that it is about."""
    written, homes = _written_in(loaded.sources.values())
    found = []
    for finding in lint(LintedSet(loaded.policy_set, written, now)):
        entry = finding.path[:2]
        document = homes[entry]
        line, column = (document.key_place if finding.at_key else document.place)(finding.path)
        placed = _placed((document.file, line, column), finding.lint, finding.message)
        first_line, _ = document.key_place(entry)
        found.append((placed, first_line))
    return found


def _written_in(documents: Iterable[Document]) -> tuple[Written, dict[Path, Document]]:
    """Give the entries of all files as written, and the file of each by map and name."""
    written: dict[str, dict[str, object]] = {section: {} for section in MODELS}
    homes: dict[Path, Document] = {}
    for document in documents:
        for section, entries in document.value.items():
            if isinstance(entries, dict):
                written[section].update(entries)
                homes.update(((section, name), document) for name in entries)
    return written, homes


def _placed(place: tuple[str, int, int], found: Lint, message: str) -> PlacedFinding:
    return PlacedFinding(*place, found, f"{message} ({found.page})")


def _order(found: PlacedFinding) -> tuple[object, ...]:
    return found.file, found.line, found.column, found.lint.code, found.message
