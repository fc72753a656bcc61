"""The row that tells a wrong master key from an altered row: sealed under the key of the store."""

from typing import Final

from broker.core.errors import ConfigurationError
from broker.ports import SealedRows, SigningKeyRow
from broker.signing.key_wrap import KeyWrap, WrappedKeyRefused
from broker.signing.master_key import MasterKey, master_key_fault
from broker.signing.sealed_rows import SealedBox

CHECK_ROW: Final = "master-key"

_PLAIN: Final = b"this store is under the master key that opens this row"


def check_content(master_key: MasterKey) -> bytes:
    """Make the content of the row."""
    return SealedBox(master_key).seal(CHECK_ROW, _PLAIN)


def opens(master_key: MasterKey, content: bytes) -> bool:
    """Tell whether the row was made under this key."""
    return SealedBox(master_key).unseal(CHECK_ROW, content) == _PLAIN


def fits(master_key: MasterKey, content: bytes | None, rows: list[SigningKeyRow]) -> bool:
    """Tell whether a store may be under this key: one without any such row may be under any.

    One row that opens is proof enough; those that do not were altered then.
    """
    if content is None and not rows:
        return True
    if content is not None and opens(master_key, content):
        return True
    key_wrap = KeyWrap(master_key)
    return any(_unwraps(key_wrap, row) for row in rows)


async def leave_check_row(store: SealedRows, master_key: MasterKey, source: str) -> None:
    """Leave the row in a store that has none.

    Raises `ConfigurationError` when another process has left that of another key at the same
    moment, and `Unavailable`.
    """
    if await store.sealed_row(CHECK_ROW) is not None:
        return
    if not await store.add_sealed_row(CHECK_ROW, check_content(master_key)):
        content = await store.sealed_row(CHECK_ROW)
        if content is None or not opens(master_key, content):
            raise wrong_master_key(source)


def wrong_master_key(source: str) -> ConfigurationError:
    """Say that the store is under another key than that of `source`."""
    return master_key_fault(
        source,
        "is not the master key of this store, whose keys are wrapped under another: restore the"
        " right one from its backup, or name the store that belongs to it",
    )


def _unwraps(key_wrap: KeyWrap, row: SigningKeyRow) -> bool:
    try:
        key_wrap.unwrap(row)
    except WrappedKeyRefused:
        return False
    return True
