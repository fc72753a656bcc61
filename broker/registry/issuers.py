"""What operators do with issuers beside the files: switch them, and hand over their keys."""

import hashlib
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from broker.core.audit import AuditEvent, rfc3339
from broker.core.errors import Unavailable
from broker.core.issuer_keys import KeysRefused, read_uploaded_jwks
from broker.core.kept_keys import MAX_AGE, KeptKeys
from broker.core.policy import Issuer
from broker.core.registry.authority import check_signs_for
from broker.core.registry.refused import conflict, invalid, not_found
from broker.ports import (
    Clock,
    Identifiers,
    IssuerKeyUploads,
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
    keys: IssuerKeyUploads
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
        issuer = self._issuer(name)
        if enabled and not issuer.enabled:
            raise conflict("the policy files switch this issuer off: change it there", "enabled")
        event = self._event("issuer.enabled" if enabled else "issuer.disabled", caller, name)
        if await self.store.switch_issuer(name, event, enabled=enabled):
            logger.warning(event.type, extra={"actor": event.actor, "target": name})
        await self._follow()

    async def upload_keys(
        self, caller: RegistryCaller, name: str, document: bytes
    ) -> dict[str, Any]:
        """Let the keys of a JWKS document count, as if they had been fetched at this moment.

        They count in every process, until the next good fetch and for 24 hours at most.
        """
        issuer = self._issuer(name)
        check_signs_for(caller.authority, name, self.policies.current().policy_set)
        if issuer.keys.document is not None:
            raise conflict("the policy files name a file with its keys (`jwks_file`): change that")
        try:
            keys = read_uploaded_jwks(document, issuer.algorithms)
        except KeysRefused as error:
            raise invalid("keys", str(error)) from None
        key_ids = list(keys.keys)
        changes = {"kids": key_ids, "sha256": hashlib.sha256(document).hexdigest()}
        event = self._event("issuer.keys_uploaded", caller, name, changes)
        await self.keys.upload(issuer, KeptKeys(document, event.time, uploaded=True), event)
        logger.warning(event.type, extra={"actor": event.actor, "target": name})
        await self._follow()
        return {
            "name": name,
            "kids": key_ids,
            "skipped": list(keys.skipped),
            "expires_at": rfc3339(event.time + MAX_AGE),
        }

    def _issuer(self, name: str) -> Issuer:
        issuer = self.policies.current().policy_set.issuers.get(name)
        if issuer is None:
            raise not_found("there is no such issuer")
        return issuer

    async def _follow(self) -> None:
        # The change is made; whoever made it finds it here at once.
        with suppress(Unavailable):
            await self.state.refresh()

    def _event(
        self,
        kind: str,
        caller: RegistryCaller,
        name: str,
        changes: Mapping[str, Any] | None = None,
    ) -> AuditEvent:
        now = self.clock.now()
        return AuditEvent(
            id=self.identifiers.new(now),
            time=now,
            type=kind,
            outcome="success",
            request_id=caller.request_id,
            client_address=caller.client_address,
            actor=caller.actor,
            target=name,
            changes=changes,
        )
