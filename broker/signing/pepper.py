"""The pepper of client secrets: a key of its own, sealed in the store under the master key."""

import os
from typing import Final

from broker.core.errors import Reason, Unavailable
from broker.ports import SealedRows
from broker.signing.sealed_rows import SealedBox

PEPPER_ROW: Final = "client-secret-pepper"

_BYTES: Final = 32


async def load_pepper(store: SealedRows, box: SealedBox) -> bytes:
    """Find the pepper, making it at the first time; 32 bytes.

    The master key may be changed without it, so that no secret has to be made anew. Raises
    `Unavailable` when the store cannot be used, or its row was altered: no secret holds then.
    """
    content = await store.sealed_row(PEPPER_ROW)
    if content is None:
        made = box.seal(PEPPER_ROW, os.urandom(_BYTES))
        # Another process may have been faster.
        added = await store.add_sealed_row(PEPPER_ROW, made)
        content = made if added else await store.sealed_row(PEPPER_ROW)
    pepper = None if content is None else box.unseal(PEPPER_ROW, content)
    if pepper is None:
        message = f"the sealed row '{PEPPER_ROW}' was altered: restore a backup"
        raise Unavailable(Reason.STORE_UNAVAILABLE, message)
    return pepper
