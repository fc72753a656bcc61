"""The broker's own keys as this process holds them, read from the store."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from broker.core.errors import ConfigurationError, Problem, Reason, Unavailable
from broker.core.key_line import ScheduledKey
from broker.core.key_schedule import KeysHeld
from broker.core.signing_keys import SigningKey, SigningKeySet
from broker.ports import SealedRows, SigningKeyRow, SigningKeyStore
from broker.signing.check_row import CHECK_ROW, opens
from broker.signing.key_wrap import KeyWrap, WrappedKeyRefused
from broker.signing.master_key import MasterKey

logger = logging.getLogger(__name__)

_ANOTHER_KEY: Final = (
    "the store is under another master key now: it was changed by `broker keys rewrap`, or the"
    " store was exchanged; start the broker again with the right one"
)


class KeyringStore(SigningKeyStore, SealedRows, Protocol):
    """Where the keys are read from, and what tells whether the master key is theirs."""


class Keyring:
    """The signing keys as last read; implements the port `SigningKeySource`."""

    def __init__(
        self,
        store: KeyringStore,
        master_key: MasterKey,
        *,
        trusted_for: float,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use `open`."""
        self._store = store
        self._master_key = master_key
        self._key_wrap = KeyWrap(master_key)
        self._trusted_for = trusted_for
        self._elapsed = elapsed
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()
        self._held: dict[SigningKeyRow, SigningKey] = {}
        self._unreadable: frozenset[SigningKeyRow] = frozenset()
        self._current = SigningKeySet(())
        self._check_row_opens = True
        self._lost = False
        self.alarmed = asyncio.Event()
        """Set when a row is found not to open: another key may have to sign at once."""

    @classmethod
    async def open(
        cls,
        store: KeyringStore,
        master_key: MasterKey,
        *,
        trusted_for: float,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> "Keyring":
        """Read the keys of a store.

        What was read that many seconds ago signs no longer: the store may say otherwise by now.
        Raises `ConfigurationError` for a wrong master key, and `Unavailable`.
        """
        keyring = cls(store, master_key, trusted_for=trusted_for, elapsed=elapsed)
        await keyring.reload()
        return keyring

    def current(self) -> SigningKeySet:
        """Give the keys as last read from the store."""
        return self._current

    def signing_key(self, algorithm: str, now: float) -> SigningKey:
        """Find the key that signs now. Raises `Unavailable` (`store_unavailable`)."""
        key = self._current.signing_key(algorithm, now) if self._is_trusted() else None
        if key is None:
            raise Unavailable(Reason.STORE_UNAVAILABLE, f"no key for {algorithm} signs now")
        return key

    def can_sign(self, now: float) -> bool:
        """Tell whether anything can be signed now."""
        return self._is_trusted() and bool(self._current.algorithms(now))

    def rows(self) -> dict[SigningKeyRow, SigningKey]:
        """Give the rows as last read, with what they hold."""
        return self._held

    def unreadable(self) -> frozenset[SigningKeyRow]:
        """Give the rows that count as absent."""
        return self._unreadable

    def schedules(self) -> KeysHeld:
        """Give what a plan starts from."""
        generations: dict[str, int] = {}
        for row in (*self._held, *self._unreadable):
            highest = max(row.generation, generations.get(row.algorithm, 0))
            generations[row.algorithm] = highest
        keys = [
            ScheduledKey(row.key_id, row.algorithm, row.generation, row.schedule)
            for row in self._held
        ]
        return KeysHeld(keys, generations)

    def wrapped(self, key: SigningKey, generation: int) -> SigningKeyRow:
        """Make the row of a key."""
        return self._key_wrap.wrap(key, generation)

    async def reload(self) -> None:
        """Read the keys anew; a row that does not open counts as absent and is told in the log.

        The keys held so far stay published when this raises: `ConfigurationError` when the store is
        under another master key, `Unavailable` when it cannot be read.
        """
        # One by one, so that what was read later stays.
        async with self._lock:
            began = self._elapsed()
            rows = await self._store.signing_key_rows()
            # NOTE: behind the rows. Should they be put under another master key in between, this
            # shows, and what was read before is still right.
            check = await self._store.sealed_row(CHECK_ROW)
            held, unreadable = self._opened(rows)
            right = check is not None and opens(self._master_key, check)
            self._lost = not right and not held and bool(check or rows)
            if self._lost:
                raise ConfigurationError([Problem("master_key_file", 0, 0, _ANOTHER_KEY)])
            self._tell(unreadable, check_row_opens=right or check is None)
            self._held, self._unreadable = held, frozenset(unreadable)
            self._current = SigningKeySet(tuple(held.values()))
            self._read_at = began

    def _opened(
        self, rows: list[SigningKeyRow]
    ) -> tuple[dict[SigningKeyRow, SigningKey], dict[SigningKeyRow, str]]:
        held: dict[SigningKeyRow, SigningKey] = {}
        unreadable: dict[SigningKeyRow, str] = {}
        for row in rows:
            try:
                held[row] = self._held.get(row) or self._key_wrap.unwrap(row)
            except WrappedKeyRefused as refused:
                unreadable[row] = str(refused)
        return held, unreadable

    def _tell(self, unreadable: dict[SigningKeyRow, str], *, check_row_opens: bool) -> None:
        """Alarm once for every row that is found not to open."""
        for row, why in unreadable.items():
            if row not in self._unreadable:
                logger.error("%s; it counts as absent", why)
                self.alarmed.set()
        if self._check_row_opens and not check_row_opens:
            logger.error("the row of the store that proves the master key was altered")
        self._check_row_opens = check_row_opens

    def _is_trusted(self) -> bool:
        return not self._lost and self._elapsed() - self._read_at <= self._trusted_for
