"""What policies refer to: issuers, services and accounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from broker.core.policy import Issuer, Service
from broker.policy_files.entries import Entries

_REFERRED_TO: Final = ("issuers", "services", "service_accounts")


@dataclass(frozen=True, slots=True)
class References:
    """The sound issuers and services, and all entries by name."""

    issuers: Mapping[str, Issuer]
    services: Mapping[str, Service]
    entries: Entries

    def equal(self, other: "References") -> bool:
        """Tell whether the same policies come of the same entries by both."""
        ours, theirs = self.entries, other.entries
        return (
            self.issuers == other.issuers
            and self.services == other.services
            and ours.complete == theirs.complete
            and all(
                ours.declared[each].keys() == theirs.declared[each].keys() for each in _REFERRED_TO
            )
            and _accounts(ours) == _accounts(theirs)
        )


def _accounts(entries: Entries) -> dict[str, object]:
    return {name: entry.model for name, entry in entries.service_accounts.items()}
