"""The key that signs the heads of the audit chain, sealed in the store under the master key."""

import secrets
from typing import Final

from broker.core.audit_head import HeadKey
from broker.core.errors import ConfigurationError, Problem
from broker.ports import SealedRowReading, SealedRows
from broker.signing.sealed_rows import SealedBox

ROW_NAME: Final = "audit-head key"
_SEED_BYTES: Final = 32


async def open_head_key(store: SealedRows, box: SealedBox) -> HeadKey:
    """Read the key of a store; make it at the first start.

    Processes that start at the same moment end with the same key. Raises `ConfigurationError` when
    the row does not unseal, and `Unavailable`. NOTE: such a row is never replaced: heads that were
    kept elsewhere would no longer verify, and that is what somebody who rebuilds a chain needs.
    """
    key = await find_head_key(store, box)
    if key is None:
        seed = secrets.token_bytes(_SEED_BYTES)
        await store.add_sealed_row(ROW_NAME, box.seal(ROW_NAME, seed))
        key = await find_head_key(store, box)
    if key is None:
        raise _fault("was deleted while the broker started: start it again")
    return key


async def find_head_key(store: SealedRowReading, box: SealedBox) -> HeadKey | None:
    """Read the key of a store; None when it has none yet.

    Raises `ConfigurationError` when the row does not unseal, and `Unavailable`.
    """
    content = await store.sealed_row(ROW_NAME)
    if content is None:
        return None
    seed = box.unseal(ROW_NAME, content)
    if seed is None or len(seed) != _SEED_BYTES:
        raise _fault(
            "does not unseal: this is not the master key of this store, or the row was altered;"
            " restore the right master key"
        )
    return HeadKey.of_seed(seed)


def _fault(what: str) -> ConfigurationError:
    message = f"the key that signs the heads of the audit {what}"
    return ConfigurationError([Problem("master_key_file", 0, 0, message)])
