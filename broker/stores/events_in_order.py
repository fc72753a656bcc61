"""Passing durable events on in the order of their chain, whichever transaction wrote them."""

import logging
from collections.abc import Callable, Iterable

from broker.core.audit import ChainedEvent

logger = logging.getLogger(__name__)


class EventsInOrder:
    """Stands before a sink; used by the thread of the writer alone.

    A change that records events is made beside the batches of the ledger, and may be made before
    the events of the batch in front of it were passed on. So its events wait for their turn.
    """

    def __init__(self, sink: Callable[[ChainedEvent], None]) -> None:
        self._sink = sink
        self._held: list[ChainedEvent] = []

    def __call__(self, event: ChainedEvent) -> None:
        """Pass an event on, behind those held that come before it."""
        if self._held:
            self._pass_on([each for each in self._held if each.sequence < event.sequence])
        self._sink(event)

    def hold(self, events: Iterable[ChainedEvent]) -> None:
        """Keep events until what comes before them was passed on."""
        self._held += events

    def flush(self) -> None:
        """Pass on all that is held."""
        self._pass_on(list(self._held))

    def _pass_on(self, events: list[ChainedEvent]) -> None:
        for event in events:
            self._held.remove(event)
            try:
                self._sink(event)
            except (OSError, ValueError):
                # What a pipe without a reader and a closed stream raise.
                logger.exception("event %d is stored, but was not passed on", event.sequence)
