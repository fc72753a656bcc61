"""Messages one after another on a stream between two processes of one broker."""

from collections.abc import Iterator

from broker.messages import Message

_SIZE = 8


def frame(message: Message) -> bytes:
    """Write one message with its size before it."""
    content = message.encode()
    return len(content).to_bytes(_SIZE) + content


class Frames:
    """Finds the messages in what arrives piece by piece."""

    def __init__(self) -> None:
        self._arrived = bytearray()

    def take(self, data: bytes) -> Iterator[Message]:
        """Take what arrived, and give the messages that are whole. Raises `MessageBroken`."""
        self._arrived += data
        while len(self._arrived) >= _SIZE:
            end = _SIZE + int.from_bytes(self._arrived[:_SIZE])
            if len(self._arrived) < end:
                return
            content = bytes(self._arrived[_SIZE:end])
            del self._arrived[:end]
            yield Message.decode(content)
