"""The end of a request that takes too long as a whole, however busily its bytes trickle in."""

import socket
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self


class TimeLimit:
    """Cuts the connections of one request after some seconds; a `trace` extension of httpx.

    Timeouts of httpx are for each read: a server that sends a byte now and then meets none.
    """

    def __init__(self, seconds: float) -> None:
        """The seconds count from when the block is entered."""
        self.is_over = False
        """Whether the time was over before the request was."""

        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Hear of a new connection."""
        # Also through a proxy, whatever it speaks.
        if not event.endswith(".connect_tcp.complete"):
            return
        connected = info["return_value"].get_extra_info("socket")
        with self._lock:
            # A descriptor of our own stays the connection's when TLS takes the other one over.
            self._sockets.append(connected.dup())
            if self.is_over:
                self._shut()

    def __enter__(self) -> Self:
        """Begin to count."""
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Count no longer."""
        self._timer.cancel()
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()

    def _cut(self) -> None:
        with self._lock:
            self.is_over = True
            self._shut()

    def _shut(self) -> None:
        for each in self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                # The other side was quicker.
                continue
