"""Counting, as it happens, in the block of this worker."""

import os
from bisect import bisect_left

from broker.core.errors import ERROR, SUCCESS, Reason, outcome_of
from broker.metrics.board import Block, Series
from broker.metrics.definitions import (
    BATCH_DURATIONS,
    BATCHES,
    DURATIONS,
    EXCHANGE_REFUSALS,
    EXCHANGES,
    KEY_FAILURES,
    KEY_FETCHES,
    KEYS_FETCHED_AT,
    NOT_WRITTEN,
    OAUTH,
    OBSERVED,
    POLICIES_SINCE,
    RATE_LIMITED,
    RECORDED,
    RELOADS,
    REQUESTS,
    Metric,
)
from broker.ports import NONE, OTHER, IssuerKeyStatus


class Recorded:
    """Counts what this process does; implements `Measurements`.

    The ledger's figures may come from a thread of its own: their series are there from the
    beginning, and nothing else writes to them.
    """

    def __init__(self, block: Block, process: int | None = None) -> None:
        self._block = block
        self._places = block.begin(os.getpid() if process is None else process)
        self._cells = block.cells
        for metric in RECORDED:
            # For what finds no room of its own; of the ledger's, these are all there are.
            self._place(others(metric))

    def request_answered(self, endpoint: str, status: int | None, seconds: float) -> None:
        """Count a request; `endpoint` is the path of its route."""
        self._add((REQUESTS.name, endpoint, NONE if status is None else str(status)))
        self._observe(DURATIONS, (DURATIONS.name, endpoint), seconds)

    def oauth_answered(self, endpoint: str, grant: str, reason: Reason | None) -> None:
        """Count a request to an OAuth endpoint; `reason` is what its caller was told."""
        self._add((OAUTH.name, endpoint, grant, outcome_of(reason), reason or NONE))

    def exchange_ended(self, issuer: str, service: str, reason: Reason | None) -> None:
        """Count an exchange; `reason` is the one on record, None when a token was issued."""
        self._add((EXCHANGES.name, issuer, service, outcome_of(reason)))
        if reason is not None:
            self._add((EXCHANGE_REFUSALS.name, issuer, reason))

    def observed(self, kind: str) -> None:
        """Count a decision as observed policies would have it."""
        self._add((OBSERVED.name, kind))

    def rate_limited(self, limit: str) -> None:
        """Count a request that a limit refused."""
        self._add((RATE_LIMITED.name, limit))

    def batch_written(self, entries: int, seconds: float) -> None:
        """Count a transaction that made so many ledger entries durable."""
        self._observe(BATCHES, (BATCHES.name,), entries)
        self._observe(BATCH_DURATIONS, (BATCH_DURATIONS.name,), seconds)

    def batch_failed(self, entries: int) -> None:
        """Count entries that the store did not take."""
        self._add((NOT_WRITTEN.name,), entries)

    def keys_fetched(self, status: IssuerKeyStatus, fetched_at: float | None) -> None:
        """Count a fetch of an issuer's keys."""
        issuer = status.issuer
        self._add((KEY_FETCHES.name, issuer, SUCCESS if status.failure is None else ERROR))
        self._set((KEY_FAILURES.name, issuer), status.failures)
        self._set((KEYS_FETCHED_AT.name, issuer), fetched_at or 0.0)

    def policies_read(self, outcome: str) -> None:
        """Count a reload."""
        self._add((RELOADS.name, outcome))

    def policies_changed(self, since: float) -> None:
        """Note since when the policies in force decide."""
        self._set((POLICIES_SINCE.name,), since)

    def _add(self, series: Series, amount: float = 1.0) -> None:
        place = self._places.get(series)
        if place is None:
            place = self._place(series)
        self._cells[place] += amount

    def _set(self, series: Series, value: float) -> None:
        place = self._places.get(series)
        if place is None:
            place = self._place(series)
        self._cells[place] = value

    def _observe(self, metric: Metric, series: Series, value: float) -> None:
        place = self._places.get(series)
        if place is None:
            place = self._place(series)
        cells = self._cells
        cells[place + bisect_left(metric.buckets, value)] += 1.0
        cells[place + len(metric.buckets) + 1] += value

    def _place(self, series: Series) -> int:
        """Find or make the cells of a series; without room it counts among the others."""
        place = self._places.get(series)
        if place is None:
            place = self._block.add(series)
        if place is None:
            place = self._places[series[0], *(OTHER for _ in series[1:])]
        self._places[series] = place
        return place


def others(metric: Metric) -> Series:
    """Give the series of a metric that counts what has none of its own."""
    return (metric.name, *(OTHER for _ in metric.labels))
