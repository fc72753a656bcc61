"""Finding the master key of a store, and proving that it is the one."""

import logging
from pathlib import Path
from typing import Protocol

from broker.ports import SealedRowReading, SigningKeyReading, SigningKeyRow
from broker.signing import master_key_file
from broker.signing.check_row import CHECK_ROW, fits, leave_check_row, wrong_master_key
from broker.signing.keyring import KeyringStore
from broker.signing.master_key import (
    ENVIRONMENT_VARIABLE,
    MAKE_ONE,
    MasterKey,
    master_key_fault,
)

logger = logging.getLogger(__name__)


class KeyProof(SigningKeyReading, SealedRowReading, Protocol):
    """What tells in a store whether a master key is its own."""


async def load_master_key(
    file: Path, value: str | None, store: KeyringStore, *, may_create: bool
) -> MasterKey:
    """Take the key from `value` if it is set, otherwise from the file, and prove it on the store.

    A missing file is created only if `may_create` and the store is empty: a new key beside a filled
    store would be the loss of all that it wraps (attacks row 187). A store that cannot prove its
    key yet will from now on. Raises `ConfigurationError`, and `Unavailable` from the store.
    """
    master_key = await find_master_key(file, value, store, may_create=may_create)
    source = str(file) if value is None else ENVIRONMENT_VARIABLE
    await leave_check_row(store, master_key, source)
    return master_key


async def find_master_key(
    file: Path, value: str | None, store: KeyProof, *, may_create: bool = False
) -> MasterKey:
    """Find the key as `load_master_key` does, without a trace in the store.

    Raises `ConfigurationError`, and `Unavailable` from the store.
    """
    # NOTE: the store is read before the file. Another process that starts at the same moment makes
    # the file first and fills the store then, so that rows seen here imply a file seen below.
    check, rows = await store.sealed_row(CHECK_ROW), await store.signing_key_rows()
    if value is None:
        return _from_file(file, check, rows, may_create=may_create)
    master_key = MasterKey.from_text(value, ENVIRONMENT_VARIABLE)
    if not fits(master_key, check, rows):
        raise wrong_master_key(ENVIRONMENT_VARIABLE)
    return master_key


def _from_file(
    file: Path, check: bytes | None, rows: list[SigningKeyRow], *, may_create: bool
) -> MasterKey:
    found = master_key_file.read(file)
    filled = check is not None or bool(rows)
    if found is None and not filled:
        return _made(file, may_create=may_create)
    held = None if found is None else MasterKey.from_text(found, str(file))
    if held is not None and fits(held, check, rows):
        return held
    succeeding = _successor(file, check, rows)
    if succeeding is not None:
        return succeeding
    if held is not None:
        raise wrong_master_key(str(file))
    raise master_key_fault(
        str(file),
        "is missing, but the store holds what is wrapped under it: restore the file from its"
        f" backup, or set {ENVIRONMENT_VARIABLE}",
    )


def _made(file: Path, *, may_create: bool) -> MasterKey:
    if not may_create:
        raise master_key_fault(
            str(file),
            "is missing, and it is made by itself only on loopback:"
            f" {MAKE_ONE} (mode 0600), or set {ENVIRONMENT_VARIABLE}",
        )
    master_key_file.create(file)
    found = master_key_file.read(file)
    if found is None:
        raise master_key_fault(str(file), "was deleted while the broker started")
    return MasterKey.from_text(found, str(file))


def _successor(file: Path, check: bytes | None, rows: list[SigningKeyRow]) -> MasterKey | None:
    """Finish a change of the master key that was cut off behind its transaction."""
    waiting = master_key_file.successor(file)
    found = master_key_file.read(waiting)
    if found is None:
        return None
    master_key = MasterKey.from_text(found, str(waiting))
    if not fits(master_key, check, rows):
        return None
    try:
        master_key_file.put_successor_in_place(file)
    except FileNotFoundError:
        # Another process that starts at the same moment was quicker.
        logger.info("another process has put the new master key in place")
    except OSError as error:
        logger.error("%s holds the master key, but cannot take its place: %s", waiting, error)  # noqa: TRY400
    else:
        logger.warning("%s is the master key now: its change had been cut off", waiting)
    return master_key
