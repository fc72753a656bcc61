"""The seal on kept policy sets: who can write to the store cannot make a set that grants."""

import hashlib
import hmac
from typing import Final

KEY_PURPOSE: Final = "policy-sets"
"""What the master key derives the seal's key for."""

_MAC_BYTES: Final = hashlib.sha256().digest_size


class Seal:
    """Puts an HMAC-SHA256 over row name, version and content before the content."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def put_on(self, version: str, packed: bytes) -> bytes:
        """Give what the store keeps."""
        return self._mac(version, packed) + packed

    def take_off(self, version: str, content: bytes) -> bytes | None:
        """Give what was sealed under this version; None when anything was changed since."""
        mac, packed = content[:_MAC_BYTES], content[_MAC_BYTES:]
        return packed if hmac.compare_digest(mac, self._mac(version, packed)) else None

    def _mac(self, version: str, packed: bytes) -> bytes:
        covered = b"\0".join((b"policy_sets", version.encode(), packed))
        return hmac.digest(self._key, covered, "sha256")
