"""Blocks that were set and not lifted."""

import apsw

from broker.core.blocks import Block
from broker.stores.content_rows import block_of, row_of_block
from broker.stores.sqlite_state import raise_epoch

_PRUNE = "DELETE FROM blocks WHERE expires_at <= ?"
_COUNT = "SELECT count(*) FROM blocks"
_SET = "INSERT INTO blocks VALUES (?, ?, ?)"
_LIFT = "DELETE FROM blocks WHERE block_id = ?"
_LIST = "SELECT block_id, expires_at, content FROM blocks ORDER BY block_id"


def put(connection: apsw.Connection, block: Block, now: float, at_most: int) -> bool:
    """Set a block, in a transaction that the caller began; tell whether there was room for it."""
    connection.execute(_PRUNE, (now,))
    [(count,)] = connection.execute(_COUNT)
    if count >= at_most:
        return False
    connection.execute(_SET, row_of_block(block))
    raise_epoch(connection)
    return True


def lift(connection: apsw.Connection, block_id: str) -> bool:
    """Lift a block, in a transaction that the caller began; tell whether there was one."""
    connection.execute(_LIFT, (block_id,))
    if not connection.changes():
        return False
    raise_epoch(connection)
    return True


def listed(connection: apsw.Connection) -> list[Block]:
    """List all blocks, by id."""
    return [block_of(row) for row in connection.execute(_LIST)]
