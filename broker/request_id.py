"""The id of the request that is being served, for whatever is logged meanwhile."""

from contextvars import ContextVar
from typing import Final

REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""None outside of requests. What a request begins and leaves behind keeps its id."""
