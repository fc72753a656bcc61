"""Verifying the chain that a store holds, page by page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from broker.core.audit_chain import (
    START,
    ChainReport,
    ChainVerification,
    Head,
    Position,
)
from broker.core.audit_head import HeadKey, HeadRefused, HeadTyp, HeadVerifier
from broker.ports import AuditLog

PAGE: Final = 1000
_BEFORE_ALL: Final = -(2**63)
"""Also a number that no event of ours has is looked at."""


_BESIDE_REQUESTS: Final = 200
"""So many events hold up the requests served meanwhile for 5 ms."""


class KeyNeeded(Exception):
    """The chain was pruned, and without the public key nobody can tell by whom."""


async def verify_log(
    log: AuditLog,
    verifier: HeadVerifier | None,
    heads: Sequence[Head] = (),
    on_progress: Callable[[int], None] | None = None,
    *,
    at_a_time: int = PAGE,
) -> ChainReport:
    """Verify the whole chain of a store, in constant memory.

    `heads` have been verified; `on_progress` is called with a number of events read since, after
    `at_a_time` of them. Raises `KeyNeeded`, and `Unavailable`.
    """
    page = await log.chain_page(_BEFORE_ALL, at_a_time)
    try:
        begins_after = _beginning(page.beginning, verifier)
    except HeadRefused as error:
        # Nothing in the store says where it begins: its first event is the first broken one.
        first = page.events[0].sequence if page.events else 1
        return ChainReport(
            0, first_broken=first, fault=f"the beginning of a pruned chain is not believed: {error}"
        )
    verification = ChainVerification(heads, begins_after=begins_after)
    while page.events:
        if not all(verification.take(event.link()) for event in page.events):
            break
        if on_progress is not None:
            on_progress(len(page.events))
        page = await log.chain_page(page.events[-1].sequence, at_a_time)
    return verification.finish()


@dataclass(frozen=True, slots=True)
class LogVerification:
    """The port `AuditVerification` on a store, for a broker that serves meanwhile."""

    log: AuditLog
    key: HeadKey

    async def verify(self) -> ChainReport:
        """Follow the whole chain; without heads from elsewhere. Raises `Unavailable`."""
        return await verify_log(self.log, self.key.verifier(), at_a_time=_BESIDE_REQUESTS)


def _beginning(signed: str | None, verifier: HeadVerifier | None) -> Position:
    if signed is None:
        return START
    if verifier is None:
        raise KeyNeeded
    return verifier.read(signed, HeadTyp.BEGINNING).position
