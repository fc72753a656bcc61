"""What operators and organizations do with service accounts and their secrets."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from broker.core.registry.authority import Authority


@dataclass(frozen=True, slots=True)
class RegistryCaller:
    """Who asks, and what it may do; for the audit also by which request."""

    actor: str
    authority: Authority
    request_id: str | None = None
    client_address: str | None = None


Identify: TypeAlias = Callable[[], Awaitable[RegistryCaller]]
"""Finds out who asks. It is asked anew whenever a change was overtaken, by what is current then."""


@dataclass(frozen=True, slots=True)
class Made:
    """An account or secret as JSON members, and the secret that was made with it."""

    members: dict[str, Any]
    secret: str | None = field(default=None, repr=False)
    """Shown once; None when none was made."""


@dataclass(frozen=True, slots=True)
class AccountList:
    """Some accounts as JSON members by id, and the id behind which the next page begins."""

    items: list[dict[str, Any]]
    next_after: str | None = None


class AccountOperations(Protocol):
    """The registry of service accounts; all raise `ChangeRefused` and `Unavailable`.

    `members` are those of a request body, not yet looked at. Changes are made and recorded whole,
    or not at all.
    """

    async def listed(
        self, caller: RegistryCaller, *, organization: str | None, after: str, limit: int
    ) -> AccountList:
        """List accounts, those of files and those that were made, by id."""
        ...

    async def shown(self, caller: RegistryCaller, client_id: str) -> dict[str, Any]:
        """Show one account."""
        ...

    async def create(
        self, identify: Identify, members: Mapping[str, Any], *, with_secret: bool
    ) -> Made:
        """Make an account, with a secret if it may have one."""
        ...

    async def patch(
        self, identify: Identify, client_id: str, patch: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Change an account by a merge patch (RFC 7396), and show it."""
        ...

    async def delete(self, identify: Identify, client_id: str) -> None:
        """End an account and its secrets."""
        ...

    async def secrets(self, caller: RegistryCaller, client_id: str) -> list[dict[str, Any]]:
        """List the secrets that are alive, without themselves, the oldest first."""
        ...

    async def create_secret(
        self, identify: Identify, client_id: str, members: Mapping[str, Any]
    ) -> Made:
        """Make one more secret."""
        ...

    async def revoke_secret(self, identify: Identify, client_id: str, secret_id: str) -> None:
        """End a secret."""
        ...

    async def rotate_secret(
        self, identify: Identify, client_id: str, members: Mapping[str, Any]
    ) -> Made:
        """Make a second secret for one that ends with the overlap."""
        ...

    async def complete_rotation(self, identify: Identify, client_id: str) -> dict[str, Any]:
        """End the secret that is replaced; show the one that stays."""
        ...

    async def cancel_rotation(self, identify: Identify, client_id: str) -> dict[str, Any]:
        """Drop the new secret; show the one that stays."""
        ...
