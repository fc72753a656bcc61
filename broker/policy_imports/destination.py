"""Where a translated policy goes: which issuer and account of ours it names, and what they get."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Destination:
    """The names that the translated policies use, and what has to be written beside them."""

    issuer: str
    """The issuer's name."""

    account: str
    """The id of the service account."""

    name: str
    """The name of the policy; the first part of it where there are several."""

    new_issuer: Mapping[str, str] = field(default_factory=dict)
    """What `issuers` has to say of it; empty where that is there already."""

    grants: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What the account may do: scopes by service. Empty where the operator has not said it."""

    account_exists: bool = False
    """Whether the account is there already; `grants` then narrow what it may do."""

    def policy_name(self, index: int, number: int) -> str:
        """Name one of several policies."""
        return self.name if number == 1 else f"{self.name}-{index + 1}"
