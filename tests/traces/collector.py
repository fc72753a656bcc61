"""A collector of OpenTelemetry on loopback: what it is sent, decoded by the published schema."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PATIENCE_SECONDS = 60


class Collector:
    """What was sent to it; `answer` is the status of every answer, called for each request."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[bytes] = []
        self.heads: list[tuple[str, Mapping[str, str]]] = []
        self.answer: Callable[[], tuple[int, Mapping[str, str]]] = lambda: (200, {})

    @property
    def endpoint(self) -> str:
        return f"{self.url}/v1/traces"

    def spans(self) -> list[Span]:
        return [
            span
            for each in self._requests()
            for resource in each.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resources(self) -> list[dict[str, Any]]:
        """Say what each batch is of."""
        return [
            attributes_of(resource.resource)
            for each in self._requests()
            for resource in each.resource_spans
        ]

    def wait_for(self, count: int) -> list[Span]:
        """Give the spans once there are so many."""
        until = monotonic() + PATIENCE_SECONDS
        while len(spans := self.spans()) < count:
            assert monotonic() < until, [each.name for each in spans]
            sleep(0.02)
        return spans

    def _requests(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(each) for each in list(self.bodies)]


def attributes_of(holder: Any) -> dict[str, Any]:
    """Read the attributes of a span or a resource."""
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in holder.attributes
    }


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            head = {name.lower(): value for name, value in self.headers.items()}
            collector.heads.append((self.path, head))
            status, headers = collector.answer()
            if status == 200:
                collector.bodies.append(body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
