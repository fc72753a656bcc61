"""Blocks that were set and not lifted."""

import json
from typing import Any

import apsw

from broker.core.blocks import Block
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
    connection.execute(_SET, (block.block_id, block.expires_at, _content(block)))
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
    return [_block(*row) for row in connection.execute(_LIST)]


def _content(block: Block) -> str:
    members = {
        "where": dict(block.where),
        "reason": block.reason,
        "created_at": block.created_at,
        "created_by": block.created_by,
    }
    return json.dumps(members)


def _block(block_id: str, expires_at: float | None, content: str) -> Block:
    members: dict[str, Any] = json.loads(content)
    return Block(block_id=block_id, expires_at=expires_at, **members)
