"""The policies in force with the blocks beside them; implements the port `PolicySource`."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from broker.core.blocks import NO_BLOCKS, Block, Blocks
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Issuer, PolicySet
from broker.core.registry.block_reach import require_reach
from broker.core.registry.refused import ChangeRefused
from broker.ports import BlockReading, Clock, IssuerSwitchReading, PolicySource

logger = logging.getLogger(__name__)


class BrakeReading(BlockReading, IssuerSwitchReading, Protocol):
    """What operators have stopped in an emergency."""


class PoliciesWithBlocks:
    """What decides: the policies of the files, and before them what the store says is stopped.

    Blocks, and issuers that are switched off, are read at every change of the store.
    """

    def __init__(self, policies: PolicySource, store: BrakeReading, clock: Clock) -> None:
        """Nothing is known of the store before the first `refresh`."""
        self.in_files = policies
        """The policies without what is stopped."""

        self._store = store
        self._clock = clock
        self._idle: frozenset[tuple[str, str]] = frozenset()
        self._blocks: Blocks = NO_BLOCKS
        self._issuers_off: frozenset[str] = frozenset()
        self._files = self._made = policies.current()

    async def refresh(self) -> None:
        """Read what is stopped. Raises `Unavailable`."""
        blocks, issuers_off = await self._store.blocks(), await self._store.issuers_off()
        self._blocks, self._issuers_off = Blocks(blocks), frozenset(issuers_off)
        files = self.in_files.current()
        self._make(files)
        self._warn_of_idle(blocks, files)

    def current(self) -> IndexedPolicies:
        """Give the policies that decide from now on."""
        files = self.in_files.current()
        if files is not self._files:
            self._make(files)
        return self._made

    def _warn_of_idle(self, blocks: Iterable[Block], files: IndexedPolicies) -> None:
        """Say once of each what policy files have slipped out of, by a new name for one."""
        now = self._clock.now()
        holding = [block for block in blocks if block.holds(now)]
        idle = frozenset((*_idle_blocks(holding, files), *_idle_switches(self._issuers_off, files)))
        for target, fault in sorted(idle - self._idle):
            logger.warning(
                "what was stopped is stopped no more: %s", fault, extra={"target": target}
            )
        self._idle = idle

    def _make(self, files: IndexedPolicies) -> None:
        self._files = self._made = files
        stopped = self._issuers_off & files.policy_set.issuers.keys()
        if self._blocks or stopped:
            policy_set = _without(files.policy_set, stopped)
            self._made = replace(files, policy_set=policy_set, blocks=self._blocks)


def _idle_blocks(blocks: Iterable[Block], files: IndexedPolicies) -> Iterator[tuple[str, str]]:
    for block in blocks:
        try:
            require_reach(block.where, files)
        except ChangeRefused as refused:
            yield block.block_id, f"the block holds for no new token, as {refused}"


def _idle_switches(names: Iterable[str], files: IndexedPolicies) -> Iterator[tuple[str, str]]:
    for name in names:
        if name not in files.policy_set.issuers:
            yield name, "the issuer is switched off, and the policy files have none of this name"


def _without(policy_set: PolicySet, stopped: frozenset[str]) -> PolicySet:
    """Give a policy set with some of its issuers switched off."""
    if not stopped:
        return policy_set

    def as_it_is(issuer: Issuer) -> Issuer:
        return replace(issuer, enabled=False) if issuer.name in stopped else issuer

    issuers = {name: as_it_is(issuer) for name, issuer in policy_set.issuers.items()}
    return replace(policy_set, issuers=issuers)
