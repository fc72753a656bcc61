"""Delegated folders: what the policy files below a folder may hold, where others write them.

Positions are paths below the policy folder, with `/` between their parts.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Delegation:
    """What files below one folder may hold, and nothing else (contract §3, `folders`).

    The members are plain, so that they pass through JSON.
    """

    folder: str
    """Its position, without a slash at the end."""

    maps: tuple[str, ...]
    """The maps of policy files that may stand there."""

    effects: tuple[str, ...] = ()
    """The effects that policies may have there."""

    service_accounts: tuple[str, ...] = ()
    """Ids, and beginnings of ids followed by `*`."""

    services: tuple[str, ...] = ()
    """The names of the services that may be granted, denied and defined there."""

    place: tuple[str, int, int] = field(default=("folders", 0, 0), compare=False)
    """File, line and column where it is configured; says nothing about what it means."""

    def admits_account(self, client_id: str) -> bool:
        """Tell whether files of the folder may define a service account, or let jobs act as it."""
        return any(
            client_id.startswith(each[:-1]) if each.endswith("*") else client_id == each
            for each in self.service_accounts
        )

    def as_json(self) -> dict[str, Any]:
        """Give plain members that `from_json` reads back, but for the place."""
        members = asdict(self)
        del members["place"]
        return members

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> "Delegation":
        """Read what `as_json` gave, also after a passage through JSON."""
        lists = ("maps", "effects", "service_accounts", "services")
        return cls(members["folder"], **{name: tuple(members[name]) for name in lists})


class DelegatedFolders:
    """Finds the delegations that a file has to obey: those of every folder above it."""

    __slots__ = ("_by_folder", "_by_looks")

    def __init__(self, delegations: Iterable[Delegation]) -> None:
        self._by_folder = {each.folder: each for each in delegations}
        self._by_looks = {_looks(folder): folder for folder in self._by_folder}

    def above(self, position: str) -> tuple[Delegation, ...]:
        """Give the delegations of the folders above a file, the outermost first."""
        return tuple(
            self._by_folder[folder]
            for folder in _folders_above(position)
            if folder in self._by_folder
        )

    def lookalike(self, position: str) -> tuple[str, str] | None:
        """Give a folder above a file that only looks like a delegated one, and that one.

        Some file systems take names for the same that differ in case or form, others do not.
        """
        for folder in _folders_above(position):
            delegated = self._by_looks.get(_looks(folder), folder)
            if delegated != folder:
                return folder, delegated
        return None


def _folders_above(position: str) -> Iterator[str]:
    end = position.find("/")
    while end != -1:
        yield position[:end]
        end = position.find("/", end + 1)


def _looks(folder: str) -> str:
    return unicodedata.normalize("NFKC", folder).casefold()
