"""Switching issuers off and on again, as operators do beside the files."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from broker.core.audit import AuditEvent
from broker.core.errors import Unavailable
from broker.core.registry.refused import conflict, invalid, not_found
from broker.ports import (
    Clock,
    Identifiers,
    IssuerSwitches,
    PolicySource,
    RegistryCaller,
    State,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IssuerRegistry:
    """Implements the port `IssuerOperations`. `policies` are those of the files alone."""

    store: IssuerSwitches
    state: State
    policies: PolicySource
    clock: Clock
    identifiers: Identifiers

    async def patch(self, caller: RegistryCaller, name: str, members: dict[str, Any]) -> None:
        """Switch an issuer of the files off, or on again.

        Off beats on: what the files switch off stays off, whatever is asked for here.
        """
        for member in members:
            if member != "enabled":
                raise invalid(str(member)[:64], "cannot be changed here; only `enabled` can")
        enabled = members.get("enabled")
        if not isinstance(enabled, bool):
            raise invalid("enabled", "must be true or false")
        issuer = self.policies.current().policy_set.issuers.get(name)
        if issuer is None:
            raise not_found("there is no such issuer")
        if enabled and not issuer.enabled:
            raise conflict("the policy files switch this issuer off: change it there", "enabled")
        event = self._event(caller, name, enabled=enabled)
        if await self.store.switch_issuer(name, event, enabled=enabled):
            logger.warning(event.type, extra={"actor": event.actor, "target": name})
        # The change is made; whoever made it finds it here at once.
        with suppress(Unavailable):
            await self.state.refresh()

    def _event(self, caller: RegistryCaller, name: str, *, enabled: bool) -> AuditEvent:
        now = self.clock.now()
        return AuditEvent(
            id=self.identifiers.new(now),
            time=now,
            type="issuer.enabled" if enabled else "issuer.disabled",
            outcome="success",
            request_id=caller.request_id,
            client_address=caller.client_address,
            actor=caller.actor,
            target=name,
        )
