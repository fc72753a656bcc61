"""The texts that were read before, by their content: of an unchanged file only the tree is made."""

import hashlib
import zlib
from collections.abc import Mapping
from typing import Final

from broker.policy_files.build import read_document
from broker.yaml_document import Document, outline, recall

_FASTEST: Final = 1


class KnownTexts:
    """Reads the texts of policy files, recalling those whose outlines are known.

    `outlines` are compressed and stand under the SHA-256 of the text in hexadecimal, as do those
    that are `new` afterwards; `used` are the digests of all texts that were read.
    """

    def __init__(self, outlines: Mapping[str, bytes | memoryview]) -> None:
        self._outlines = outlines
        self.used: list[str] = []
        self.new: dict[str, bytes] = {}

    def read(self, text: str | bytes, file: str) -> Document:
        """Read one text. Raises `DocumentRefused`."""
        content = text.encode() if isinstance(text, str) else text
        digest = hashlib.sha256(content).hexdigest()
        known = self._outlines.get(digest)
        if known is not None:
            self.used.append(digest)
            return recall(zlib.decompress(known), content, file, read_document)
        document = read_document(content, file)
        self.used.append(digest)
        self.new[digest] = zlib.compress(outline(document), _FASTEST)
        return document
