"""Issuers that operators switch off while the broker runs, as they lie in the store."""

from typing import Any, Protocol

from broker.core.audit import AuditEvent
from broker.ports.registry import RegistryCaller


class IssuerSwitchReading(Protocol):
    """Which issuers were switched off."""

    async def issuers_off(self) -> list[str]:
        """Name them; the files may have some of them no more. Raises `Unavailable`."""
        ...


class IssuerSwitches(IssuerSwitchReading, Protocol):
    """The same, for whoever changes it. Every change raises the epoch."""

    async def switch_issuer(self, name: str, event: AuditEvent, *, enabled: bool) -> bool:
        """Switch an issuer and record it, both or nothing; tell whether that changed it.

        Raises `Unavailable`.
        """
        ...


class IssuerOperations(Protocol):
    """What operators do with issuers; raises `ChangeRefused` and `Unavailable`."""

    async def patch(self, caller: RegistryCaller, name: str, members: dict[str, Any]) -> None:
        """Switch an issuer of the files off, or on again, by the members of a request."""
        ...

    async def upload_keys(
        self, caller: RegistryCaller, name: str, document: bytes
    ) -> dict[str, Any]:
        """Let the keys of a JWKS document count as those of an issuer; show which do."""
        ...
