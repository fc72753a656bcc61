"""The texts that were read before, by their content: of an unchanged file only the tree is made."""

import hashlib
import zlib
from collections.abc import Collection, Mapping
from typing import Final

from broker.policy_files.build import read_document
from broker.yaml_document import Document, outline, recall

_FASTEST: Final = 1


class KnownTexts:
    """Reads the texts of policy files, recalling those whose outlines are known.

    Outlines are compressed and stand under the SHA-256 of the text in hexadecimal; `used` are the
    digests of the texts that were read since `begin`.
    """

    def __init__(self) -> None:
        self._outlines: dict[str, bytes | memoryview] = {}
        self._documents: dict[tuple[str, str], Document] = {}
        self.used: list[str] = []

    def begin(self, outlines: Mapping[str, bytes | memoryview]) -> None:
        """Begin to read a folder; these outlines are known as well."""
        # Of what was not in use any more nobody will ask.
        used = set(self.used)
        self._documents = {key: each for key, each in self._documents.items() if key[1] in used}
        self._outlines = {name: self._outlines[name] for name in used} | dict(outlines)
        self.used = []

    def read(self, text: str | bytes, file: str) -> Document:
        """Read one text, giving the same document as before. Raises `DocumentRefused`."""
        content = text.encode() if isinstance(text, str) else text
        digest = hashlib.sha256(content).hexdigest()
        document = self._documents.get((file, digest))
        if document is None:
            document = self._documents[file, digest] = self._made(digest, content, file)
        self.used.append(digest)
        return document

    def outlines_beyond(self, known: Collection[str]) -> dict[str, bytes | memoryview]:
        """Give the outlines of the texts in use that others do not know."""
        return {digest: self._outlines[digest] for digest in self.used if digest not in known}

    def _made(self, digest: str, content: bytes, file: str) -> Document:
        known = self._outlines.get(digest)
        if known is not None:
            return recall(zlib.decompress(known), content, file, read_document)
        document = read_document(content, file)
        self._outlines[digest] = zlib.compress(outline(document), _FASTEST)
        return document
