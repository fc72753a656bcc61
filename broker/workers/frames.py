"""Messages one after another on a stream between two processes of one broker."""

from collections.abc import Iterator
from typing import Final

from broker.messages import Message

SIZE: Final = 8
"""Bytes that tell the size of a message."""


def frame(message: Message) -> bytes:
    """Write one message with its size before it."""
    content = message.encode()
    return len(content).to_bytes(SIZE) + content


class Frames:
    """Finds the messages in what arrives piece by piece."""

    def __init__(self) -> None:
        self._arrived = bytearray()

    def take(self, data: bytes) -> Iterator[Message]:
        """Take what arrived, and give the messages that are whole. Raises `MessageBroken`."""
        self._arrived += data
        while len(self._arrived) >= SIZE:
            end = SIZE + int.from_bytes(self._arrived[:SIZE])
            if len(self._arrived) < end:
                return
            content = bytes(self._arrived[SIZE:end])
            del self._arrived[:end]
            yield Message.decode(content)
