"""The supervisor's end of the line to one worker."""

import socket
from collections import deque
from typing import Final

from broker.messages import Message, MessageBroken
from broker.workers.frames import Frames, frame

MAX_WAITING_BYTES: Final = 256 * 1024 * 1024
"""What may wait for a worker that does not read; one that stands still is cut off."""

_CHUNK: Final = 256 * 1024


class WireCut(Exception):
    """The worker has closed its end, or has to be cut off."""


class Wire:
    """Sends and receives messages without ever waiting."""

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(0)
        self.end = end
        self._frames = Frames()
        self._outgoing: deque[memoryview] = deque()
        self._waiting_bytes = 0

    @property
    def waits(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._outgoing)

    def receive(self) -> list[Message]:
        """Take what has arrived. Raises `WireCut`."""
        try:
            data = self.end.recv(_CHUNK)
        except BlockingIOError:
            return []
        except OSError:
            raise WireCut from None
        if not data:
            raise WireCut
        try:
            return list(self._frames.take(data))
        except MessageBroken:
            raise WireCut from None

    def send(self, message: Message) -> None:
        """Send a message, or what of it can be sent now. Raises `WireCut`."""
        data = memoryview(frame(message))
        if self._waiting_bytes + len(data) > MAX_WAITING_BYTES:
            # Both ends see it: the worker ends as soon as it moves again.
            self.end.shutdown(socket.SHUT_RDWR)
            raise WireCut
        self._outgoing.append(data)
        self._waiting_bytes += len(data)
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as that can be done now. Raises `WireCut`."""
        while self._outgoing:
            data = self._outgoing[0]
            try:
                sent = self.end.send(data)
            except BlockingIOError:
                return
            except OSError:
                raise WireCut from None
            self._waiting_bytes -= sent
            if sent < len(data):
                self._outgoing[0] = data[sent:]
            else:
                self._outgoing.popleft()

    def close(self) -> None:
        """Close this end."""
        self.end.close()
