"""The seal on named rows: who can write to the store can neither read, change nor move them."""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.signing.master_key import MasterKey

_PURPOSE: Final = "seal rows, version 1"
_NONCE_BYTES: Final = 12


class SealedBox:
    """Seals the content of rows with AES-256-GCM (NIST SP 800-38D), each bound to its name."""

    def __init__(self, master_key: MasterKey) -> None:
        self._cipher = AESGCM(master_key.derive(_PURPOSE))

    def seal(self, name: str, plain: bytes) -> bytes:
        """Give what the store keeps under `name`; twice the same never looks the same."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, name.encode())

    def unseal(self, name: str, content: bytes) -> bytes | None:
        """Give what was sealed under `name`.

        None when the content was changed or moved here from another row, or when another master key
        sealed it: such a row counts as absent (attacks row 183).
        """
        nonce, encrypted = content[:_NONCE_BYTES], content[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, encrypted, name.encode())
        except (InvalidTag, ValueError):
            # ValueError: a nonce that was cut short.
            return None
