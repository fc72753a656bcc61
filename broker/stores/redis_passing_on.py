"""Passing events on once they are durable, also those of which that was not known for a while."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from broker.core.audit import ChainedEvent
from broker.stores import redis_keys
from broker.stores.redis_link import Link

logger = logging.getLogger(__name__)

MOST_IN_DOUBT: Final = 4096

_HASH_LENGTH: Final = 64


class PassingOn:
    """Stands before a sink, in the order of the chain.

    Of a batch whose answer was lost, or that came to no replica, nobody was told that it is
    written. If it is, its events are in the chain, and outside they are not to be missing.
    """

    def __init__(self, sink: Callable[[ChainedEvent], None] | None) -> None:
        self._sink = sink
        self._in_doubt: list[ChainedEvent] = []

    @property
    def in_doubt(self) -> bool:
        """Whether there are any that may be written."""
        return bool(self._in_doubt)

    def doubt(self, events: Sequence[ChainedEvent]) -> None:
        """Note events that may be written; of very many only the last."""
        if self._sink is not None:
            self._in_doubt = [*self._in_doubt, *events][-MOST_IN_DOUBT:]

    async def settle(self, link: Link) -> None:
        """Pass on those in doubt that are in the chain. Raises as `Link.call`."""
        keys = [redis_keys.event(event.sequence) for event in self._in_doubt]
        texts: list[bytes | None] = await link.call("MGET", *keys)
        in_doubt, self._in_doubt = self._in_doubt, []
        self.pass_on(
            [
                event
                for event, text in zip(in_doubt, texts, strict=True)
                if text is not None and text[:_HASH_LENGTH] == event.hash.encode()
            ]
        )

    def pass_on(self, events: Sequence[ChainedEvent]) -> None:
        """Pass events on; what the sink cannot take is logged."""
        if self._sink is None:
            return
        for event in events:
            try:
                self._sink(event)
            except (OSError, ValueError):
                # What a pipe without a reader and a closed stream raise.
                logger.exception("event %d is stored, but was not passed on", event.sequence)
