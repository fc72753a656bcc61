"""Issuers that were switched off beside the files that configure them."""

from broker.stores import redis_keys
from broker.stores.redis_batch import Batch
from broker.stores.redis_link import Link


async def switch(link: Link, epoch: int, name: str, *, enabled: bool) -> Batch | None:
    """Make the batch that switches an issuer; None where that would change nothing."""
    is_off = bool(await link.call("SISMEMBER", redis_keys.ISSUERS_OFF, name))
    if is_off != enabled:
        return None
    batch = Batch(epoch=epoch)
    batch.commands.append(("SREM" if enabled else "SADD", redis_keys.ISSUERS_OFF, name))
    batch.raise_epoch()
    return batch


async def switched_off(link: Link) -> list[str]:
    """Name those that are switched off."""
    return sorted(each.decode() for each in await link.call("SMEMBERS", redis_keys.ISSUERS_OFF))
