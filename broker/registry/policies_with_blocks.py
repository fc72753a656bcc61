"""The policies in force with the blocks beside them; implements the port `PolicySource`."""

from dataclasses import replace
from typing import Protocol

from broker.core.blocks import NO_BLOCKS, Blocks
from broker.core.decision import IndexedPolicies
from broker.core.policy import Issuer, PolicySet
from broker.ports import BlockReading, IssuerSwitchReading, PolicySource


class BrakeReading(BlockReading, IssuerSwitchReading, Protocol):
    """What operators have stopped in an emergency."""


class PoliciesWithBlocks:
    """What decides: the policies of the files, and before them what the store says is stopped.

    Blocks, and issuers that are switched off, are read at every change of the store.
    """

    def __init__(self, policies: PolicySource, store: BrakeReading) -> None:
        """Nothing is known of the store before the first `refresh`."""
        self.in_files = policies
        """The policies without what is stopped."""

        self._store = store
        self._blocks: Blocks = NO_BLOCKS
        self._issuers_off: frozenset[str] = frozenset()
        self._files = self._made = policies.current()

    async def refresh(self) -> None:
        """Read what is stopped. Raises `Unavailable`."""
        blocks, issuers_off = await self._store.blocks(), await self._store.issuers_off()
        self._blocks, self._issuers_off = Blocks(blocks), frozenset(issuers_off)
        self._make(self.in_files.current())

    def current(self) -> IndexedPolicies:
        """Give the policies that decide from now on."""
        files = self.in_files.current()
        if files is not self._files:
            self._make(files)
        return self._made

    def _make(self, files: IndexedPolicies) -> None:
        self._files = self._made = files
        stopped = self._issuers_off & files.policy_set.issuers.keys()
        if self._blocks or stopped:
            policy_set = _without(files.policy_set, stopped)
            self._made = replace(files, policy_set=policy_set, blocks=self._blocks)


def _without(policy_set: PolicySet, stopped: frozenset[str]) -> PolicySet:
    """Give a policy set with some of its issuers switched off."""
    if not stopped:
        return policy_set

    def as_it_is(issuer: Issuer) -> Issuer:
        return replace(issuer, enabled=False) if issuer.name in stopped else issuer

    issuers = {name: as_it_is(issuer) for name, issuer in policy_set.issuers.items()}
    return replace(policy_set, issuers=issuers)
