"""Around every request: an id, harmless headers, and an answer even when the broker fails."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker.http.answers import header_lines, overloaded_answer, server_error_answer
from broker.http.caller import acceptable_request_id
from broker.http.parameters import header_values
from broker.ports import NOT_MEASURED, OTHER, Measurements, Traces
from broker.request_id import REQUEST_ID

logger = logging.getLogger(__name__)

_SECURITY_HEADERS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_SECURITY_LINES: Final = header_lines(tuple(_SECURITY_HEADERS))


def edge_lines(request_id: str) -> bytes:
    """Write the headers that every answer has, for one that is not sent as ASGI does."""
    return b"x-request-id: %b\r\n%b" % (request_id.encode(), _SECURITY_LINES)


class RequestEdge:
    """Give every request an `X-Request-Id` and turn what nobody caught into a 500."""

    def __init__(
        self,
        app: ASGIApp,
        draw_id: Callable[[], str],
        direct: Mapping[str, ASGIApp],
        measurements: Measurements = NOT_MEASURED,
        paths: Mapping[int, str] | None = None,
        traces: Traces | None = None,
    ) -> None:
        """`draw_id` gives a fresh request id; `direct` are endpoints by path, without a router.

        `paths` are those of the routes, by the identity of what answers there.
        """
        self._app = app
        self._draw_id = draw_id
        self._direct = direct
        self._measurements = measurements
        self._paths = paths or {}
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        request_id = acceptable_request_id(header_values(scope, b"x-request-id"))
        request_id = request_id or self._draw_id()
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        REQUEST_ID.set(request_id)
        # For an answer that does not pass through here.
        state["edge_lines"] = edge_lines(request_id)
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                state["status"] = message["status"]
                own = (b"x-request-id", request_id.encode())
                message["headers"] = [*message["headers"], own, *_SECURITY_HEADERS]
            await send(message)

        endpoint = self._direct.get(scope["path"], self._app)
        try:
            if state.get("overloaded"):
                endpoint = overloaded_answer()
            await endpoint(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            # The server ends, and waits no longer.
            if started:
                raise
            await overloaded_answer()(scope, receive, send_with_headers)
        except Exception:
            logger.exception("a request failed", extra={"request_id": request_id})
            if started:
                raise
            await server_error_answer()(scope, receive, send_with_headers)
        finally:
            # Those of a router are found by it.
            place = self._paths.get(id(scope.get("endpoint", endpoint)), OTHER)
            status, seconds = state.get("status"), perf_counter() - began
            self._measurements.request_answered(place, status, seconds)
            if self._traces is not None:
                self._traces.request_ended(
                    scope["method"],
                    None if place == OTHER else place,
                    status,
                    seconds,
                    parents=header_values(scope, b"traceparent"),
                    request_id=request_id,
                    told=state.get("told"),
                )
