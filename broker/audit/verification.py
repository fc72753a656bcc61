"""Verifying the chain that a store holds, page by page."""

from collections.abc import Callable, Sequence
from typing import Final

from broker.core.audit_chain import (
    START,
    ChainReport,
    ChainVerification,
    Head,
    Position,
)
from broker.core.audit_head import HeadRefused, HeadTyp, HeadVerifier
from broker.ports import AuditLog

PAGE: Final = 1000
_BEFORE_ALL: Final = -(2**63)
"""Also a number that no event of ours has is looked at."""


class KeyNeeded(Exception):
    """The chain was pruned, and without the public key nobody can tell by whom."""


async def verify_log(
    log: AuditLog,
    verifier: HeadVerifier | None,
    heads: Sequence[Head] = (),
    on_progress: Callable[[int], None] | None = None,
) -> ChainReport:
    """Verify the whole chain of a store, in constant memory.

    `heads` have been verified; `on_progress` is called with a number of events read since. Raises
    `KeyNeeded`, and `Unavailable`.
    """
    page = await log.chain_page(_BEFORE_ALL, PAGE)
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
        page = await log.chain_page(page.events[-1].sequence, PAGE)
    return verification.finish()


def _beginning(signed: str | None, verifier: HeadVerifier | None) -> Position:
    if signed is None:
        return START
    if verifier is None:
        raise KeyNeeded
    return verifier.read(signed, HeadTyp.BEGINNING).position
