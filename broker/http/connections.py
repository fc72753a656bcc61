"""One client's connection: how long it may dawdle, how much it may send beside its body.

Whoever is slow holds nothing that others need: among too many connections, the one that owes its
request longest is closed for the newest (attacks row 138).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from broker.http.answers import Answer, header_lines, problem_answer
from broker.http.middleware import edge_lines

MAX_FRAMING_BYTES: Final = 64 * 1024
"""For what is no body of a request: its head, the framing of its chunks and its trailers."""

MAX_HEADERS: Final = 100
MAX_PIPELINED: Final = 8


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What connections may take; times in seconds."""

    connections: int = 900
    """At once. A process may usually have 1,024 files open, and the store has some of them."""

    request_seconds: float = 30
    """For a whole request to arrive, from the first moment or from the answer before."""

    answer_seconds: float = 60
    """For a request to be answered, and for the client to take the answer."""


class RequestRefusedUnread(Exception):
    """A request has more than it may have; the parser passes it on as an error of its own."""


class _Joined:
    """The transport as an answer sees it: its head leaves together with what follows it.

    Each write is a call into the kernel that wakes the client, and the first would wake it for
    nothing.
    """

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Send the data, or hold it back if it is a final head (RFC 9110 §15)."""
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 1"):
            self._head += data
        else:
            head, self._head = self._head, b""
            self._transport.write(head + data)

    def flush(self) -> None:
        """Send a head that nothing follows."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Send what is there, and end."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Tell whether nothing can be sent any more."""
        return self._transport.is_closing()


class BoundedConnection(HttpToolsProtocol):
    """A connection with a deadline for each thing that it waits for. Use `bounded_connections`."""

    limits: ClassVar[ConnectionLimits]
    draw_id: ClassVar[Callable[[], str]]
    """For requests that nobody gave an id to, because they cannot be read."""

    owing: ClassVar["dict[BoundedConnection, None]"]
    """Connections whose client owes a request or the rest of one, the longest waiting first."""

    ending: ClassVar[bool] = False
    """Whether the server is about to end: what was accepted and begins only now would hold it up
    for as long as its client goes on asking."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._joined: _Joined
        self._due = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._rings_at = 0.0
        self._framing_bytes = 0
        self._in_head = True
        self._asked_before = False
        self._overloaded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, at the cost of another one if there are too many."""
        super().connection_made(transport)
        self._joined = _Joined(transport)
        if self.ending:
            self._end()
            return
        if len(self.connections) > self.limits.connections:
            longest = next(iter(self.owing), None)
            if longest is None:
                self._overloaded = True
            else:
                longest._end()  # noqa: SLF001 - another instance of this class
        self._renew_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came, and refuse what never gets to a body."""
        self._framing_bytes += len(data)
        super().data_received(data)
        if self._framing_bytes > MAX_FRAMING_BYTES and not self.transport.is_closing():
            self.send_400_response("the request is larger than it may be")

    def on_message_begin(self) -> None:
        """Begin a request, unless too many wait for their turn already."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise RequestRefusedUnread
        self._in_head = True
        super().on_message_begin()
        self.scope["state"]["overloaded"] = self._overloaded

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer is none: no proxy has judged it (RFC 9110 §6.5.1)."""
        if not self._in_head:
            return
        if len(self.headers) >= MAX_HEADERS:
            raise RequestRefusedUnread
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to serve the request."""
        super().on_headers_complete()
        # It is served from a later turn of the loop on: nothing was written yet.
        self.cycle.transport = self._joined  # type: ignore[assignment]
        if self.ending:
            self.cycle.keep_alive = False
        self.scope["state"]["send_at_once"] = self._send_at_once
        self._in_head = False
        self._asked_before = True

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, which has a bound of its own."""
        self._framing_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the client has sent what it owed."""
        super().on_message_complete()
        self.scope["state"]["received"] = True
        self._framing_bytes = 0
        self._renew_deadline()

    def on_response_complete(self) -> None:
        """Wait for the next request, or serve it when it is there."""
        self._joined.flush()
        super().on_response_complete()
        self._renew_deadline()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, and end."""
        request_id = type(self).draw_id()
        answer = problem_answer(400, "INVALID_REQUEST", msg).to(request_id)
        head = [(b"connection", b"close"), *self.server_state.default_headers, *answer.headers]
        lines = header_lines(tuple(head)) + edge_lines(request_id)
        self._joined.write(STATUS_LINE[answer.status] + lines + b"\r\n" + answer.body)
        self._joined.close()

    def _send_at_once(self, answer: Answer, state: Mapping[str, Any]) -> bool:
        """Send a whole answer by one call; tell whether it was sent.

        `state` is that of the request. The answer has to be sent as ASGI does when the client has
        to be waited for, when it has sent further requests, or when the connection ends with it.
        """
        cycle = self.cycle
        if cycle.scope["state"] is not state:
            return False
        begun = cycle.disconnected or cycle.response_started
        ends = not cycle.keep_alive or (b"connection", b"close") in answer.headers
        if begun or ends or self.flow.write_paused:
            return False
        cycle.waiting_for_100_continue = False
        cycle.response_started = cycle.response_complete = True
        lines = header_lines((*cycle.default_headers, *answer.headers)) + state["edge_lines"]
        self.transport.write(STATUS_LINE[answer.status] + lines + b"\r\n" + answer.body)
        cycle.message_event.set()
        cycle.on_response()
        return True

    def _renew_deadline(self) -> None:
        self.owing.pop(self, None)
        if not self._asked_before or self.cycle.response_complete or self.cycle.more_body:
            self.owing[self] = None
            seconds = self.limits.request_seconds
        else:
            seconds = self.limits.answer_seconds
        self._due = self.loop.time() + seconds
        # A deadline that moved on needs no new alarm: the old one looks again.
        if self._alarm is None or self._rings_at > self._due:
            self._set_alarm()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._rings_at = self._due
        self._alarm = self.loop.call_at(self._due, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if self.loop.time() >= self._due:
            self._end()
        else:
            self._set_alarm()

    def _forget(self) -> None:
        self.owing.pop(self, None)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _end(self) -> None:
        """End at once: closing politely would wait for a client that does not take its answer."""
        self._forget()
        self.transport.abort()


def bounded_connections(
    limits: ConnectionLimits, draw_id: Callable[[], str]
) -> type[BoundedConnection]:
    """Make the class of the connections of one server, which share its limits.

    `draw_id` gives the id of a request that cannot be read.
    """
    members = {"limits": limits, "owing": {}, "draw_id": staticmethod(draw_id)}
    return type("BoundedConnection", (BoundedConnection,), members)
