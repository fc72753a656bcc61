"""The state epoch and the sealed rows, which all processes of one store share."""

from broker.stores import redis_keys
from broker.stores.redis_batch import Absent, Batch
from broker.stores.redis_link import LOST, Link, LinkRefused


async def read_epoch(link: Link) -> int:
    """Read how often what decides has changed."""
    epoch = await link.call("HGET", redis_keys.STATE, redis_keys.EPOCH)
    # Without it, nothing could tell the processes of a change.
    if epoch is None:
        raise LinkRefused(LOST)
    return int(epoch)


async def find_sealed(link: Link, name: str) -> bytes | None:
    """Find the content of a sealed row."""
    content: bytes | None = await link.call("HGET", redis_keys.SEALED, name)
    return content


def add_sealed(name: str, content: bytes) -> Batch:
    """Make the batch that inserts a sealed row, unless there is one of this name."""
    batch = Batch(absent=[Absent(redis_keys.SEALED, name)])
    batch.commands.append(("HSET", redis_keys.SEALED, name, content))
    return batch
