"""One batch that puts all rows under another master key."""

from collections.abc import Callable

from broker.ports import RowsUnderMasterKey
from broker.stores import redis_accounts, redis_keys, redis_signing_keys
from broker.stores.redis_batch import Batch
from broker.stores.redis_link import Link
from broker.stores.redis_rows import pairs


async def rewrap(
    link: Link, epoch: int, anew: Callable[[RowsUnderMasterKey], RowsUnderMasterKey]
) -> Batch:
    """Make the batch. Raises what `anew` raises."""
    accounts, secrets = await redis_accounts.every(link)
    sealed = pairs(await link.call("HGETALL", redis_keys.SEALED))
    policy_sets = pairs(await link.call("HGETALL", redis_keys.POLICY_SETS))
    rows = anew(
        RowsUnderMasterKey(
            signing_keys=tuple(await redis_signing_keys.read(link)),
            sealed={name.decode(): content for name, content in sealed.items()},
            policy_sets={version.decode(): content for version, content in policy_sets.items()},
            accounts=accounts,
            secrets=secrets,
        )
    )
    batch = Batch(epoch=epoch)
    await redis_accounts.put(link, batch, rows.accounts, rows.secrets)
    for row in rows.signing_keys:
        redis_signing_keys.put(batch, row)
    for key, contents in (
        (redis_keys.SEALED, rows.sealed),
        (redis_keys.POLICY_SETS, rows.policy_sets),
    ):
        batch.add("HSET", key, [word for pair in contents.items() for word in pair])
    batch.raise_epoch()
    return batch
