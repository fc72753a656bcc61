"""The state of a command, which holds nothing in memory: everything is read when it is needed."""

from broker.ports import StateEpoch


class StoreState:
    """The epoch at which a command began to read; implements the port `State`."""

    def __init__(self, store: StateEpoch) -> None:
        """`refresh` has to be called before the first change is planned."""
        self._store = store
        self._epoch = 0

    def epoch(self) -> int:
        """Give the epoch that was read last."""
        return self._epoch

    async def refresh(self) -> None:
        """Read the epoch. Raises `Unavailable`."""
        self._epoch = await self._store.state_epoch()
