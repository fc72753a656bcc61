"""The named entries of one document, each one's shape checked alone; nothing else is looked at."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from broker.core.account_id import is_account_id, is_generated
from broker.core.broker_service import BROKER_SERVICE
from broker.core.errors import Problem
from broker.policy_files.models import (
    IssuerModel,
    OrganizationModel,
    PolicyModel,
    PolicyTestModel,
    ServiceAccountModel,
    ServiceModel,
)
from broker.policy_files.sentences import did_you_mean, sentence
from broker.yaml_document import Document, Path, Tree

MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "organizations": OrganizationModel,
    "issuers": IssuerModel,
    "services": ServiceModel,
    "service_accounts": ServiceAccountModel,
    "policies": PolicyModel,
}
TESTS: Final = "tests"
IS_EMPTY: Final = "is empty; give it a value or delete it"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Entry(Generic[Model]):
    """One entry of one map, or one item of `tests`, and where it is written."""

    name: str
    model: Model
    path: Path
    document: Document

    @property
    def place(self) -> str:
        """`file:line` of the entry's name."""
        return f"{self.document.file}:{self.document.key_place(self.path)[0]}"

    def problem(self, within: Path, message: str, *, at_key: bool = False) -> Problem:
        """Describe a fault at a path within the entry."""
        return self.document.problem(self.path + within, message, at_key=at_key)


class NamedEntry(NamedTuple):
    """What stands under a name in one of the maps."""

    section: str
    name: str
    fault: str | None
    """What is wrong with the name."""

    entry: "Entry[BaseModel] | None"
    """None where it is not well-shaped."""


@dataclass(slots=True)
class DocumentEntries:
    """The entries of one document and what is wrong with each alone, their names excepted."""

    document: Document
    named: list[NamedEntry] = field(default_factory=list)
    tests: list[Entry[PolicyTestModel]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    empty: set[tuple[str, int, int]] = field(default_factory=set)
    """File, line and column of every value that is empty, and reported so."""


def entries_of(document: Document) -> DocumentEntries:
    """Find the entries of a document; what is wrong with them is among the result."""
    reading = _Reading(document, DocumentEntries(document))
    reading.read()
    return reading.found


@dataclass(slots=True)
class _Reading:
    """Finds the entries of one document."""

    document: Document
    found: DocumentEntries
    empty: frozenset[Path] = frozenset()

    def read(self) -> None:
        self.empty = frozenset(_empty_values(self.document.value, ()))
        for path in self.empty:
            name = f"`{path[-1]}`" if isinstance(path[-1], str) else "this item"
            self._report(path, f"{name} {IS_EMPTY}")
            self.found.empty.add((self.document.file, *self.document.place(path)))
        for section, value in self.document.value.items():
            if section == TESTS:
                self._tests(value)
            elif section in MODELS:
                self._section(section, value)
            else:
                known = did_you_mean(section, [*MODELS, TESTS])
                text = f"there is no map `{section}` in policy files{known}"
                self._report((section,), text, at_key=True)

    def _section(self, section: str, value: Tree) -> None:
        if not isinstance(value, dict):
            if (section,) not in self.empty:
                text = f"`{section}` must be a mapping from names to entries"
                self._report((section,), text)
            return
        model = MODELS[section]
        for name, content in value.items():
            entry = self._entry((section, name), content, model)
            self.found.named.append(NamedEntry(section, name, _name_fault(section, name), entry))

    def _tests(self, value: Tree) -> None:
        if not isinstance(value, list):
            if (TESTS,) not in self.empty:
                self._report((TESTS,), "`tests` must be a list: `- name: …`")
            return
        for index, content in enumerate(value):
            entry = self._entry((TESTS, index), content, PolicyTestModel)
            if entry is not None:
                self.found.tests.append(entry)

    def _entry(self, path: Path, content: Tree, model: type[Model]) -> Entry[Model] | None:
        if path in self.empty:
            return None
        try:
            return Entry(str(path[-1]), model.model_validate(content), path, self.document)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                within, text, at_key = sentence(detail, model)
                if at_key or path + within not in self.empty:
                    self._report(path + within, text, at_key=at_key)
            return None

    def _report(self, path: Path, message: str, *, at_key: bool = False) -> None:
        self.found.problems.append(self.document.problem(path, message, at_key=at_key))


def _name_fault(section: str, name: str) -> str | None:
    if section == "service_accounts":
        if not is_account_id(name):
            return "an id is 2 to 63 of `a-z`, `0-9` and `-`, not beginning with `-`"
        if is_generated(name):
            return "ids that begin with `m-` belong to generated accounts; take another"
    elif not _NAME.fullmatch(name):
        return "a name is up to 100 of letters, digits, `.`, `_` and `-`, the first no sign"
    elif section == "services" and name == BROKER_SERVICE:
        return "`broker` is the broker itself; give the service another name"
    return None


def _empty_values(value: Tree, path: Path) -> Iterator[Path]:
    """Find values that are null, `{}` or `[]` where they mean nothing (attacks row 76)."""
    if path[:1] == (TESTS,) and path[2:3] == ("claims",):
        return
    if path and (value is None or value in ({}, [])):
        if value != [] or not _may_be_empty(path):
            yield path
        return
    items: Iterable[tuple[str | int, Tree]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        # Most are texts, which are never empty in this sense.
        if not isinstance(item, str):
            yield from _empty_values(item, (*path, key))


def _may_be_empty(path: Path) -> bool:
    """A service without scopes is granted as `[]`; a test may expect a permit without scopes."""
    match path:
        case ("service_accounts" | "policies", _, "grants", _):
            return True
        case ("tests", _, "expect", "permit", "scopes"):
            return True
        case _:
            return False
