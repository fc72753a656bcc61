"""The master key: 32 random bytes outside the store that everything secret in it hangs on."""

import base64
import os
import re
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from broker.core.errors import ConfigurationError, Problem

KEY_BYTES: Final = 32
ENVIRONMENT_VARIABLE: Final = "BROKER_MASTER_KEY"

MAKE_ONE: Final = "make one with `openssl rand -base64 32`"
# RFC 4648 §5, and §4 because that is what openssl prints; 43 characters and optional padding.
_TEXT: Final = re.compile(r"[A-Za-z0-9_+/-]{43}=?")


class MasterKey:
    """The key that other keys are derived from; it encrypts nothing itself."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        """Raises `ValueError` unless there are 32 bytes."""
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a master key has {KEY_BYTES} bytes")
        self._secret = secret

    @classmethod
    def from_text(cls, text: str, source: str) -> "MasterKey":
        """Read the base64url text of a key; `source` names where it came from.

        Raises `ConfigurationError`, which does not show the text.
        """
        text = text.strip()
        if not _TEXT.fullmatch(text):
            raise master_key_fault(source, f"is not 32 bytes in base64 on one line: {MAKE_ONE}")
        unpadded = text.rstrip("=").translate({ord("+"): "-", ord("/"): "_"})
        secret = base64.urlsafe_b64decode(unpadded + "=")
        return cls(secret)

    @classmethod
    def generate(cls) -> "MasterKey":
        """Make a new key."""
        return cls(os.urandom(KEY_BYTES))

    def text(self) -> str:
        """Give the base64url text of the key, for the file that keeps it and for nothing else."""
        return base64.urlsafe_b64encode(self._secret).rstrip(b"=").decode()

    def derive(self, purpose: str) -> bytes:
        """Derive the 32-byte key for one purpose (HKDF-SHA256, RFC 5869)."""
        info = f"broker: {purpose}".encode()
        return HKDF(hashes.SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._secret)

    def __repr__(self) -> str:
        return "MasterKey(redacted)"


def master_key_fault(file: str, what: str) -> ConfigurationError:
    """Say what is wrong with the master key of a file or a variable."""
    return ConfigurationError([Problem(file, 0, 0, f"the master key {what}")])
