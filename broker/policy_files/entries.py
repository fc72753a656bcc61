"""The named entries of all files: every name is unique."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from broker.core.errors import Problem
from broker.policy_files.document_entries import MODELS, DocumentEntries, Entry
from broker.policy_files.models import (
    IssuerModel,
    OrganizationModel,
    PolicyModel,
    PolicyTestModel,
    ServiceAccountModel,
    ServiceModel,
)


@dataclass(slots=True)
class Entries:
    """The well-shaped entries of all files, and the names of all, lest others count as absent."""

    organizations: dict[str, Entry[OrganizationModel]] = field(default_factory=dict)
    issuers: dict[str, Entry[IssuerModel]] = field(default_factory=dict)
    services: dict[str, Entry[ServiceModel]] = field(default_factory=dict)
    service_accounts: dict[str, Entry[ServiceAccountModel]] = field(default_factory=dict)
    policies: dict[str, Entry[PolicyModel]] = field(default_factory=dict)
    tests: list[Entry[PolicyTestModel]] = field(default_factory=list)
    declared: dict[str, dict[str, str]] = field(
        default_factory=lambda: {section: {} for section in MODELS}
    )
    """Map → name → `file:line`, malformed entries included."""

    empty: set[tuple[str, int, int]] = field(default_factory=set)
    """File, line and column of every value that is empty, and reported so."""

    complete: bool = True
    """Whether every file was read; otherwise nobody knows which names are missing."""

    def lack(self, section: str, name: str) -> bool:
        """Tell whether no file defines a name."""
        return self.complete and name not in self.declared[section]


def collect(
    documents: Iterable[DocumentEntries], problems: list[Problem], *, complete: bool = True
) -> Entries:
    """Gather the entries of all documents, adding to `problems` what is wrong with each alone.

    `complete` tells whether these are the documents of all files.
    """
    entries = Entries(complete=complete)
    for found in documents:
        problems += found.problems
        entries.empty |= found.empty
        entries.tests += found.tests
        _gather_named(found, entries, problems)
    return entries


def _gather_named(found: DocumentEntries, entries: Entries, problems: list[Problem]) -> None:
    document = found.document
    for section, name, name_fault, entry in found.named:
        declared = entries.declared[section]
        fault = name_fault
        if name in declared:
            fault = f"`{name}` is already defined in {declared[name]}; names are unique"
        if fault is not None:
            problems.append(document.problem((section, name), fault, at_key=True))
        line, _ = document.key_place((section, name))
        declared.setdefault(name, f"{document.file}:{line}")
        if entry is not None and fault is None:
            getattr(entries, section)[name] = entry
