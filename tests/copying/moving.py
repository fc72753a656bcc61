"""Moving a store from one place to another, as the commands do."""

from typing import Any

from broker.copying.transfer import Succession, Transfer
from broker.copying.verification import Proof, Verified, verify_contents
from broker.core.audit import AuditEvent
from broker.ports.contents import StoreState
from broker.stores.opening import StoreLocation, open_contents, open_draft
from tests.stores.entries import NOW, an_event


def unwatched(_steps: int) -> None:
    """Show no progress."""


async def moved(
    source: StoreLocation,
    target: StoreLocation,
    *,
    succession: Succession | None = None,
    proof: Proof | None = None,
    **draft: Any,
) -> Verified:
    """Copy a store as it is, unless it is to succeed the other."""
    to = open_draft(target, **draft)
    transfer = Transfer(open_contents(source), to, target.shown, proof, unwatched)
    return await transfer.run(succession)


def restoring(refused_until: int = int(NOW)) -> Succession:
    """Let a copy go on in place of another store."""

    def event(state: StoreState) -> AuditEvent:
        return an_event(type="store.restored", changes={"events": state.end.sequence})

    async def until() -> int:
        return refused_until

    return Succession(event, until)


async def verified(location: StoreLocation, proof: Proof | None = None) -> Verified:
    """Verify a store where it is."""
    reading = open_contents(location)
    try:
        return await verify_contents(reading, location.shown, proof, unwatched)
    finally:
        await reading.close()
