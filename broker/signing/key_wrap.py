"""How a signing key lies in the store: encrypted under a key derived from the master key."""

import json
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from broker.core.errors import BrokerError
from broker.core.signing_keys import SIGNING_ALGORITHMS, SigningKey, SigningSchedule
from broker.ports import SigningKeyRow
from broker.signing.master_key import MasterKey

_PURPOSE: Final = "wrap signing keys, version 1"
_NONCE_BYTES: Final = 12


class WrappedKeyRefused(BrokerError):
    """A row does not open; the message names the key and tells nothing of it."""


class KeyWrap:
    """Wraps and unwraps signing keys with AES-256-GCM (NIST SP 800-38D).

    Id, algorithm, generation and schedule are authenticated with the key: who can write to the
    store can neither let a key sign longer nor move it, and cannot plant one (attacks row 183).
    """

    def __init__(self, master_key: MasterKey) -> None:
        self._cipher = AESGCM(master_key.derive(_PURPOSE))

    def wrap(self, key: SigningKey, generation: int) -> SigningKeyRow:
        """Make the row that the store keeps of a key."""
        plain = key.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        nonce = os.urandom(_NONCE_BYTES)
        bound = _bound(key.key_id, key.algorithm, generation, key.schedule)
        wrapped = nonce + self._cipher.encrypt(nonce, plain, bound)
        return SigningKeyRow(key.key_id, key.algorithm, generation, key.schedule, wrapped)

    def unwrap(self, row: SigningKeyRow) -> SigningKey:
        """Read the key of a row.

        Raises `WrappedKeyRefused` when the row was altered, or wrapped under another master key.
        """
        if row.algorithm not in SIGNING_ALGORITHMS:
            raise WrappedKeyRefused(
                f"the signing key {row.key_id} is for an algorithm unknown to this broker"
            )
        nonce, encrypted = row.wrapped[:_NONCE_BYTES], row.wrapped[_NONCE_BYTES:]
        bound = _bound(row.key_id, row.algorithm, row.generation, row.schedule)
        try:
            plain = self._cipher.decrypt(nonce, encrypted, bound)
        except (InvalidTag, ValueError):
            # ValueError: a nonce that was cut short.
            raise WrappedKeyRefused(
                f"the signing key {row.key_id} does not unwrap: its row was altered, or wrapped"
                " under another master key"
            ) from None
        # Checking an RSA key takes a hundred times as long as loading it; this one is authentic.
        private_key = load_der_private_key(plain, None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(
            private_key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
        ):
            raise WrappedKeyRefused(f"the signing key {row.key_id} is of an unknown kind")
        return SigningKey.of(private_key, row.algorithm, row.schedule)


def _bound(key_id: str, algorithm: str, generation: int, schedule: SigningSchedule) -> bytes:
    instants = (
        schedule.publish_at,
        schedule.sign_from,
        schedule.sign_until,
        schedule.remove_at,
    )
    # As floats, which is what they are when a store gives them back.
    times = [None if instant is None else float(instant) for instant in instants]
    return json.dumps([key_id, algorithm, generation, times]).encode()
