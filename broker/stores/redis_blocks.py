"""Blocks that were set and not lifted."""

from broker.core.blocks import Block
from broker.stores import redis_keys
from broker.stores.redis_batch import Batch
from broker.stores.redis_link import Command, Link, LinkRefused
from broker.stores.redis_rows import UNREADABLE, pairs, read_row, row_text


async def put(link: Link, epoch: int, block: Block, now: float, at_most: int) -> Batch | None:
    """Make the batch that sets a block; None where there is no room for it."""
    set_before = await listed(link)
    over = [each for each in set_before if each.expires_at is not None and each.expires_at <= now]
    if len(set_before) - len(over) >= at_most:
        return None
    batch = Batch(epoch=epoch)
    batch.add("HDEL", redis_keys.BLOCKS, [each.block_id for each in over], together=1)
    batch.commands.append(setting(block))
    batch.raise_epoch()
    return batch


async def lift(link: Link, epoch: int, block_id: str) -> Batch | None:
    """Make the batch that lifts a block; None where there is none."""
    if not await link.call("HEXISTS", redis_keys.BLOCKS, block_id):
        return None
    batch = Batch(epoch=epoch)
    batch.commands.append(("HDEL", redis_keys.BLOCKS, block_id))
    batch.raise_epoch()
    return batch


async def listed(link: Link) -> list[Block]:
    """List all blocks, by id."""
    found = pairs(await link.call("HGETALL", redis_keys.BLOCKS))
    return [_block(each.decode(errors="replace"), found[each]) for each in sorted(found)]


def _block(block_id: str, text: bytes) -> Block:
    try:
        members = read_row(text)
        block = Block(block_id=block_id, **members)
    except UNREADABLE:
        raise _damaged(block_id) from None
    fits = (
        isinstance(members["where"], dict),
        isinstance(members["reason"], str),
        isinstance(members["created_at"], int | float),
        isinstance(members["created_by"], str),
        isinstance(members.get("expires_at"), int | float | None),
    )
    if not all(fits):
        raise _damaged(block_id)
    return block


def _damaged(block_id: str) -> LinkRefused:
    # Whom it would have stopped is not known, so nobody passes.
    return LinkRefused(
        f"block {block_id:.100} is damaged: remove it by HDEL {redis_keys.BLOCKS}, and set it anew"
    )


def setting(block: Block) -> Command:
    """Make the command that sets a block."""
    text = row_text(
        {
            "expires_at": block.expires_at,
            "where": dict(block.where),
            "reason": block.reason,
            "created_at": block.created_at,
            "created_by": block.created_by,
        }
    )
    return ("HSET", redis_keys.BLOCKS, block.block_id, text)
