"""The master key: 32 random bytes outside the store that everything secret in it hangs on."""

import base64
import os
import re
import stat
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from broker.core.errors import ConfigurationError, Problem
from broker.ports import SigningKeyReading

KEY_BYTES: Final = 32
ENVIRONMENT_VARIABLE: Final = "BROKER_MASTER_KEY"

_MAX_FILE_BYTES: Final = 1024
_MAKE_ONE: Final = "make one with `openssl rand -base64 32`"
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
            raise _fault(source, f"is not 32 bytes in base64 on one line: {_MAKE_ONE}")
        unpadded = text.rstrip("=").translate({ord("+"): "-", ord("/"): "_"})
        secret = base64.urlsafe_b64decode(unpadded + "=")
        return cls(secret)

    def derive(self, purpose: str) -> bytes:
        """Derive the 32-byte key for one purpose (HKDF-SHA256, RFC 5869)."""
        info = f"broker: {purpose}".encode()
        return HKDF(hashes.SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._secret)

    def __repr__(self) -> str:
        return "MasterKey(redacted)"


async def load_master_key(
    file: Path, value: str | None, store: SigningKeyReading, *, may_create: bool
) -> MasterKey:
    """Take the key from `value` if it is set, otherwise from the file.

    A missing file is created only if `may_create` and the store holds no signing keys: a new key
    beside a filled store would be the loss of all that it wraps (attacks row 187). Raises
    `ConfigurationError`, and `Unavailable` from the store.
    """
    if value is not None:
        return MasterKey.from_text(value, ENVIRONMENT_VARIABLE)
    # NOTE: the store is read before the file. Another process that starts at the same moment makes
    # the file first and fills the store then, so that rows seen here imply a file seen below.
    rows = await store.signing_key_rows()
    found = _read(file)
    if found is None and rows:
        raise _fault(
            str(file),
            "is missing, but the store holds signing keys wrapped under it: restore the file from"
            f" its backup, or set {ENVIRONMENT_VARIABLE}",
        )
    if found is None and not may_create:
        raise _fault(
            str(file),
            "is missing, and it is made by itself only on loopback:"
            f" {_MAKE_ONE} (mode 0600), or set {ENVIRONMENT_VARIABLE}",
        )
    if found is None:
        _create(file)
        found = _read(file)
    if found is None:
        raise _fault(str(file), "was deleted while the broker started")
    return MasterKey.from_text(found, str(file))


def _read(file: Path) -> str | None:
    """Read the file, None when there is none."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _fault(str(file), f"cannot be read: {error.strerror}") from None
    try:
        # Of the open file, not of the path, which may change in between.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _fault(str(file), "is not a regular file")
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise _fault(str(file), f"is open to other users: chmod 600 {file}")
        return os.read(descriptor, _MAX_FILE_BYTES).decode("ascii", errors="replace")
    finally:
        os.close(descriptor)


def _create(file: Path) -> None:
    """Create the file with a new key, unless another process creates it first."""
    text = base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).rstrip(b"=")
    draft = file.with_name(f".{file.name}.{os.urandom(8).hex()}")
    try:
        for folder in reversed([parent for parent in file.parents if not parent.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)
        _write(draft, text + b"\n")
        try:
            # As exclusive as O_EXCL, and the file is never seen without its content.
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        _sync_folder(file.parent)
    except OSError as error:
        raise _fault(str(file), f"cannot be created: {error.strerror}; {_MAKE_ONE}") from None


def _write(file: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(file, flags, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the name durable: what is wrapped under the key must not outlive it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fault(file: str, what: str) -> ConfigurationError:
    return ConfigurationError([Problem(file, 0, 0, f"the master key {what}")])
