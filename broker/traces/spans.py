"""One span for each request, exported by a thread of its own (OTLP over HTTP).

A span is made when its request has ended, of facts that are harmless by their kind: names of routes
and reasons, numbers, ids. Nothing that a caller wrote is in it but an `X-Request-Id` that was kept
and the ids of a `traceparent`; never a token, a claim, a path or a query.
"""

import asyncio
import os
import threading
import time
from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_TRACES_SAMPLER
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from broker import __version__
from broker.core.errors import outcome_of
from broker.ports import Told

SERVICE: Final = "ci-token-broker"
SAMPLED: Final = 0.1
SAMPLER: Final = ParentBased(TraceIdRatioBased(SAMPLED))
"""Unless `OTEL_TRACES_SAMPLER` says otherwise: a span takes a seventh of what an exchange does."""

FLUSH_SECONDS: Final = 3.0
"""How long the end of the broker waits for a collector to take the last spans."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LONGEST_PARENT: Final = 55
"""Characters of a `traceparent` of version 00 (W3C Trace Context §3.2.2)."""

_FAULT: Final = 500
_NOBODY: Final = Context()
_FAILED: Final = Status(StatusCode.ERROR)


class Spans:
    """Makes spans and hands them over; implements `Traces`."""

    def __init__(self, exporter: SpanExporter, worker: int | None) -> None:
        """Must be made in the process that serves: a thread does not survive a fork."""
        self._exporter = exporter
        self._provider = TracerProvider(
            sampler=None if os.environ.get(OTEL_TRACES_SAMPLER) else SAMPLER,
            resource=_resource(worker),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("broker", __version__)
        self._propagator = TraceContextTextMapPropagator()
        self._names: dict[tuple[str, str | None], str] = {}

    @classmethod
    def exported_to(cls, endpoint: str, worker: int | None) -> "Spans":
        """Export to the URL of a collector, and contact nothing else."""
        return cls(OTLPSpanExporter(endpoint, session=_DirectSession()), worker)

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
        """Make the span of a request that has just ended."""
        ended = time.time_ns()
        method = method if method in _METHODS else "_OTHER"
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "broker.request_id": request_id,
        }
        if route is not None:
            attributes["http.route"] = route
        if status is not None:
            attributes["http.response.status_code"] = status
        if told is not None:
            attributes["broker.outcome"] = outcome_of(told.reason)
            if told.reason is not None:
                attributes["broker.reason"] = told.reason.value
            if told.decision_id is not None:
                attributes["broker.decision_id"] = told.decision_id
        failed = status is None or status >= _FAULT
        if failed:
            attributes["error.type"] = "disconnected" if status is None else str(status)
        span = self._tracer.start_span(
            self._name(method, route),
            self._parent(parents),
            SpanKind.SERVER,
            attributes,
            start_time=ended - int(seconds * 1e9),
        )
        if failed and status is not None:
            span.set_status(_FAILED)
        span.end(ended)

    async def close(self) -> None:
        """Hand over what waits, unless the collector does not take it in time."""
        ending = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, FLUSH_SECONDS)
        if ending.is_alive():
            # It waits for a collector that is away; the thread ends with the process.
            self._exporter.shutdown()

    def _name(self, method: str, route: str | None) -> str:
        """Name a span as the conventions do: by the method and the route, where there is one."""
        key = method, route
        name = self._names.get(key)
        if name is None:
            method = "HTTP" if method == "_OTHER" else method
            name = self._names[key] = method if route is None else f"{method} {route}"
        return name

    def _parent(self, parents: Sequence[str]) -> Context:
        """Read the span that the caller names; what is not of the form begins a trace."""
        if len(parents) != 1 or len(parents[0]) > _LONGEST_PARENT:
            return _NOBODY
        return self._propagator.extract({"traceparent": parents[0]}, _NOBODY)


class _DirectSession(requests.Session):
    """Sends to the collector itself: over no proxy of the environment, and to nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def request(self, *arguments: Any, **options: Any) -> requests.Response:  # noqa: ANN401
        """Send a request; being led elsewhere is a failure, not the success that it is taken for.

        Raises `requests.RequestException`.
        """
        response = super().request(*arguments, **options)
        if response.is_redirect:
            raise requests.TooManyRedirects("the collector redirects: name the place it leads to")
        return response


def _resource(worker: int | None) -> Resource:
    """Say what the spans are of; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win."""
    attributes: dict[str, str | int] = {
        "service.name": SERVICE,
        "service.version": __version__,
        "service.instance.id": str(uuid4()),
    }
    if worker is not None:
        attributes["broker.worker"] = worker
    return Resource(attributes).merge(OTELResourceDetector().detect())
