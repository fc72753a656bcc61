"""Tracing, where an endpoint for it is configured; without one, nothing of it is imported."""

from contextlib import AsyncExitStack

from broker.ports import Traces
from broker.settings import Settings


def begin_traces(stack: AsyncExitStack, settings: Settings, worker: int | None) -> Traces | None:
    """Begin to export spans; what waits at the end is handed over then."""
    if settings.traces_endpoint is None:
        return None
    from broker.traces.spans import Spans

    spans = Spans.exported_to(settings.traces_endpoint, worker)
    stack.push_async_callback(spans.close)
    return spans
