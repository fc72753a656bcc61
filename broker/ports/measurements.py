"""What is counted while the broker serves, and where the figures are read."""

from typing import Final, Protocol

from broker.core.errors import Reason
from broker.ports.keys import IssuerKeyStatus

NONE: Final = "none"
"""In the place of a name where there is nothing to name."""

OTHER: Final = "other"
"""In the place of every name that no configuration has: nobody else's words become labels."""


class Measurements(Protocol):
    """Counts what happens. Nothing here waits, and nothing here fails.

    Names are those of the configuration, `NONE` or `OTHER`; durations are in seconds.
    """

    def request_answered(self, endpoint: str, status: int | None, seconds: float) -> None:
        """Count a request; `endpoint` is the path of its route, `status` None without an answer."""
        ...

    def oauth_answered(self, endpoint: str, grant: str, reason: Reason | None) -> None:
        """Count a request to an OAuth endpoint; `reason` is what its caller was told."""
        ...

    def exchange_ended(self, issuer: str, service: str, reason: Reason | None) -> None:
        """Count an exchange; `reason` is the one on record, None when a token was issued."""
        ...

    def observed(self, kind: str) -> None:
        """Count a decision on a token that observed policies hold for, as they would have it."""
        ...

    def rate_limited(self, limit: str) -> None:
        """Count a request that a limit refused; `limit` as in the configuration."""
        ...

    def batch_written(self, entries: int, seconds: float) -> None:
        """Count a transaction that made so many ledger entries durable."""
        ...

    def batch_failed(self, entries: int) -> None:
        """Count entries that the store did not take."""
        ...

    def keys_fetched(self, status: IssuerKeyStatus, fetched_at: float | None) -> None:
        """Count a fetch of an issuer's keys; `fetched_at` is when the last good one began."""
        ...

    def policies_read(self, outcome: str) -> None:
        """Count a reload: `reloaded`, `unchanged` or `rejected`."""
        ...

    def policies_changed(self, since: float) -> None:
        """Note since when the policies in force decide, in seconds since the epoch."""
        ...


class NotMeasured:
    """Counts nothing; implements `Measurements`."""

    def request_answered(self, endpoint: str, status: int | None, seconds: float) -> None:
        """Do nothing."""

    def oauth_answered(self, endpoint: str, grant: str, reason: Reason | None) -> None:
        """Do nothing."""

    def exchange_ended(self, issuer: str, service: str, reason: Reason | None) -> None:
        """Do nothing."""

    def observed(self, kind: str) -> None:
        """Do nothing."""

    def rate_limited(self, limit: str) -> None:
        """Do nothing."""

    def batch_written(self, entries: int, seconds: float) -> None:
        """Do nothing."""

    def batch_failed(self, entries: int) -> None:
        """Do nothing."""

    def keys_fetched(self, status: IssuerKeyStatus, fetched_at: float | None) -> None:
        """Do nothing."""

    def policies_read(self, outcome: str) -> None:
        """Do nothing."""

    def policies_changed(self, since: float) -> None:
        """Do nothing."""


NOT_MEASURED: Final = NotMeasured()


class MetricsPage(Protocol):
    """The figures of the whole broker, as text."""

    async def written(self, *, openmetrics: bool) -> str:
        """Write them in the Prometheus text format, or in OpenMetrics."""
        ...
