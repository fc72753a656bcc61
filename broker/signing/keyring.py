"""The broker's own keys: read from the store, made at the first start."""

import asyncio
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from broker.core.errors import Reason, Unavailable
from broker.core.signing_keys import PrivateKey, SigningKey, SigningKeySet, SigningSchedule
from broker.ports import Clock, SigningKeyRow, SigningKeyStore
from broker.signing.key_wrap import KeyWrap
from broker.signing.master_key import MasterKey

FIRST_GENERATION = 1
RSA_BITS = 2048


class Keyring:
    """The signing keys as last read; implements the port `SigningKeySource`."""

    def __init__(self, store: SigningKeyStore, key_wrap: KeyWrap) -> None:
        """Use `open`."""
        self._store = store
        self._key_wrap = key_wrap
        self._held: dict[SigningKeyRow, SigningKey] = {}
        self._current = SigningKeySet(())

    @classmethod
    async def open(
        cls,
        store: SigningKeyStore,
        master_key: MasterKey,
        algorithms: Sequence[str],
        clock: Clock,
    ) -> "Keyring":
        """Read the keys of a store; make the first one of every algorithm that has none.

        Processes that start at the same moment end with the same keys: what counts is the row that
        the store took. Raises `ConfigurationError` for a wrong master key, and `Unavailable`.
        """
        keyring = cls(store, KeyWrap(master_key))
        await keyring.reload()
        present = {key.algorithm for key in keyring.current().keys}
        missing = [algorithm for algorithm in algorithms if algorithm not in present]
        if missing:
            await keyring._add_first_keys(missing, clock.now())
            await keyring.reload()
        return keyring

    def current(self) -> SigningKeySet:
        """Give the keys as last read from the store."""
        return self._current

    def signing_key(self, algorithm: str, now: float) -> SigningKey:
        """Find the key that signs now. Raises `Unavailable` (`store_unavailable`)."""
        key = self._current.signing_key(algorithm, now)
        if key is None:
            raise Unavailable(Reason.STORE_UNAVAILABLE, f"no key for {algorithm} signs now")
        return key

    async def reload(self) -> None:
        """Read the keys anew.

        The keys held so far stay when this raises `ConfigurationError` (a row does not unwrap) or
        `Unavailable`.
        """
        rows = await self._store.signing_key_rows()
        self._held = {row: self._held.get(row) or self._key_wrap.unwrap(row) for row in rows}
        self._current = SigningKeySet(tuple(self._held.values()))

    async def _add_first_keys(self, algorithms: Sequence[str], now: float) -> None:
        # In threads, because an RSA key takes long to find and the event loop may be serving.
        private_keys = await asyncio.gather(
            *(asyncio.to_thread(generate, algorithm) for algorithm in algorithms)
        )
        # The first key of an algorithm signs at once: no older one could sign in the meantime.
        schedule = SigningSchedule(publish_at=now, sign_from=now)
        for algorithm, private_key in zip(algorithms, private_keys, strict=True):
            key = SigningKey.of(private_key, algorithm, schedule)
            await self._store.add_signing_key_row(self._key_wrap.wrap(key, FIRST_GENERATION))


def generate(algorithm: str) -> PrivateKey:
    """Make a new private key. Raises `ValueError` for an algorithm that the broker has not."""
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    raise ValueError(f"no keys are made for {algorithm}")
