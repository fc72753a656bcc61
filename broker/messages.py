"""One message between two processes of a broker: a JSON header and binary parts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_SIZE: Final = 8


class MessageBroken(ValueError):
    """The bytes are no whole message."""


@dataclass(frozen=True, slots=True)
class Message:
    """A header of plain JSON values, and parts whose meaning the header tells."""

    header: Mapping[str, Any]
    parts: Sequence[bytes | memoryview] = ()

    def encode(self) -> bytes:
        """Write the message: the sizes, then everything one after another."""
        sizes = [len(part) for part in self.parts]
        header = json.dumps({"header": self.header, "sizes": sizes}).encode()
        return b"".join((len(header).to_bytes(_SIZE), header, *self.parts))

    @classmethod
    def decode(cls, data: bytes) -> "Message":
        """Read one whole message. Raises `MessageBroken`."""
        view = memoryview(data)
        end = _SIZE + int.from_bytes(view[:_SIZE])
        try:
            outer = json.loads(bytes(view[_SIZE:end]))
        except ValueError:
            raise MessageBroken("the header is no JSON") from None
        parts: list[memoryview] = []
        for size in outer["sizes"]:
            parts.append(view[end : end + size])
            end += size
        if end != len(view):
            raise MessageBroken("the message is cut short")
        return cls(outer["header"], parts)
