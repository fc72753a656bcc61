"""The policy sets that ran, each kept once under its version."""

from collections.abc import Sequence

from broker.ports import KeptPolicySet
from broker.stores import redis_accounts, redis_keys
from broker.stores.redis_batch import Batch
from broker.stores.redis_link import Link


async def keep(
    link: Link, epoch: int, version: str, content: bytes, now: float, new_ids: Sequence[str]
) -> Batch | None:
    """Make the batch that keeps a set as the last that ran; None if one of its ids was given."""
    if await redis_accounts.given(link, new_ids):
        return None
    last_version, ran = await _last(link)
    batch = Batch(epoch=epoch)
    batch.commands += [
        ("HSET", redis_keys.POLICY_SETS, version, content),
        ("HSET", redis_keys.POLICY_SETS_KEPT_AT, version, repr(now)),
        ("ZADD", redis_keys.POLICY_SETS_RAN, ran + 1, version),
    ]
    if last_version != version:
        batch.raise_epoch()
    return batch


async def find(link: Link, version: str) -> bytes | None:
    """Find the content of a set."""
    content: bytes | None = await link.call("HGET", redis_keys.POLICY_SETS, version)
    return content


async def last(link: Link) -> KeptPolicySet | None:
    """Find the set that came into force last."""
    version, _ = await _last(link)
    if version is None:
        return None
    content = await find(link, version)
    return None if content is None else KeptPolicySet(version, content)


async def unnamed(link: Link, keep_last: int) -> list[str]:
    """List the kept sets, beside the last ones, that no event names."""
    kept = await link.call("ZREVRANGE", redis_keys.POLICY_SETS_RAN, keep_last, -1)
    if not kept:
        return []
    pruned_to, *named = await link.calls(
        [
            ("HGET", redis_keys.STATE, redis_keys.PRUNED_TO),
            ("HMGET", redis_keys.NAMED_SETS, *kept),
        ]
    )
    last_named = zip(kept, named[0], strict=True)
    return [
        version.decode() for version, last in last_named if int(last or 0) <= int(pruned_to or 0)
    ]


async def forget(link: Link, epoch: int, keep_last: int) -> Batch | None:
    """Make the batch that deletes those; None when there are none."""
    versions = await unnamed(link, keep_last)
    if not versions:
        return None
    batch = Batch(epoch=epoch)
    batch.add("HDEL", redis_keys.POLICY_SETS, versions, together=1)
    batch.add("HDEL", redis_keys.POLICY_SETS_KEPT_AT, versions, together=1)
    batch.add("HDEL", redis_keys.NAMED_SETS, versions, together=1)
    batch.add("ZREM", redis_keys.POLICY_SETS_RAN, versions, together=1)
    return batch


async def _last(link: Link) -> tuple[str | None, int]:
    """Give the version of the last set, and how often sets have come into force."""
    found = await link.call("ZREVRANGE", redis_keys.POLICY_SETS_RAN, 0, 0, "WITHSCORES")
    if not found:
        return None, 0
    version, ran = found[0] if isinstance(found[0], list | tuple) else found
    return version.decode(), int(float(ran))
