"""The state epoch and the sealed rows, which all processes of one store share."""

from collections.abc import Sequence

from broker.stores import redis_keys
from broker.stores.redis_batch import Absent, Batch
from broker.stores.redis_link import LOST, Link, LinkRefused
from broker.stores.redis_scripts import REPLACE
from broker.stores.redis_session import Session


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


async def find_sealed_rows(link: Link, names: Sequence[str]) -> dict[str, bytes]:
    """Find the contents of some sealed rows by name."""
    if not names:
        return {}
    contents = await link.call("HMGET", redis_keys.SEALED, *names)
    found = zip(names, contents, strict=True)
    return {name: content for name, content in found if content is not None}


def add_sealed(name: str, content: bytes) -> Batch:
    """Make the batch that inserts a sealed row, unless there is one of this name."""
    batch = Batch(absent=[Absent(redis_keys.SEALED, name)])
    batch.commands.append(("HSET", redis_keys.SEALED, name, content))
    return batch


async def replace_sealed(session: Session, name: str, before: bytes, content: bytes) -> bool:
    """Replace a sealed row whose content is still the one given; tell whether it was replaced."""
    link = await session.link()
    return bool(await link.run(REPLACE, [redis_keys.SEALED], [name, before, content]))


async def put_sealed(epoch: int, name: str, content: bytes) -> Batch:
    """Make the batch that inserts or replaces a sealed row."""
    batch = Batch(epoch=epoch)
    batch.commands.append(("HSET", redis_keys.SEALED, name, content))
    batch.raise_epoch()
    return batch
