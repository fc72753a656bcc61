"""The policies in force with the blocks beside them; implements the port `PolicySource`."""

from dataclasses import replace

from broker.core.blocks import NO_BLOCKS, Blocks
from broker.core.decision import IndexedPolicies
from broker.ports import BlockReading, PolicySource


class PoliciesWithBlocks:
    """What decides: the policies of the files, and before them the blocks of the store.

    The blocks are read at every change of the store.
    """

    def __init__(self, policies: PolicySource, store: BlockReading) -> None:
        """Nothing is known of the store before the first `refresh`."""
        self._policies = policies
        self._store = store
        self._blocks: Blocks = NO_BLOCKS
        self._files = self._made = policies.current()

    async def refresh(self) -> None:
        """Read which blocks there are. Raises `Unavailable`."""
        self._blocks = Blocks(await self._store.blocks())
        self._make(self._policies.current())

    def current(self) -> IndexedPolicies:
        """Give the policies that decide from now on."""
        files = self._policies.current()
        if files is not self._files:
            self._make(files)
        return self._made

    def _make(self, files: IndexedPolicies) -> None:
        self._files = files
        self._made = replace(files, blocks=self._blocks) if self._blocks else files
