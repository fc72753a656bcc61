"""What is told of each request to whoever follows requests across systems."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from broker.core.errors import Reason


@dataclass(frozen=True, slots=True)
class Told:
    """What an endpoint has to say of a request it served, beside its answer."""

    reason: Reason | None
    """The one on record, which the caller may not have been told; None for a success."""

    decision_id: str | None


class Traces(Protocol):
    """Takes requests that have ended. Nothing here waits, and nothing here fails."""

    def request_ended(
        self,
        method: str,
        route: str | None,
        status: int | None,
        seconds: float,
        *,
        parents: Sequence[str],
        request_id: str,
        told: Told | None,
    ) -> None:
        """Take a request that has just ended.

        `route` is the path of its route, None where there is none; `status` None without an answer;
        `parents` are the values of its header `traceparent`.
        """
        ...
