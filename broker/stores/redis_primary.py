"""Whether a server may be written to: what it is, how it keeps what it has, which one it was.

A server that took the place of another may have lost the last writes of that one, and so may one
that was started anew and did not write everything to its disk at once, one that has evicted, and
one that was given an older copy. None knows which tokens for one use were used, so those issued
before are refused (contract §7). The state may have lost changes, too, so everything is read anew.
"""

import logging
from dataclasses import dataclass
from typing import Final

from broker.core.audit_chain import START, Position
from broker.stores import redis_keys
from broker.stores.redis_link import Link, LinkLost, LinkRefused, Word
from broker.stores.redis_scripts import ATTACH

logger = logging.getLogger(__name__)

DAMAGED: Final = "the store is damaged: restore a backup"
OLDEST_SERVER: Final = (6, 2)

HALF: Final = (
    "it holds half of a store, of a copy or a restore that is under way or was cut off: run that"
    " again"
)
"""What is said of a place that a store is being written to."""


@dataclass(frozen=True, slots=True)
class Primary:
    """A server that may be written to."""

    replicated: bool
    """Whether a write has to come to a replica before it counts."""

    may_have_lost: bool = False
    """Whether it may lack what was written, which was noted in the store just now."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a process brings to a server that it looks at."""

    issued_until: int
    """No token that was used yet was issued after this second."""

    last: Position | None
    """The last event that it knows to be in the store; None when it knows none."""

    by_sentinels: bool
    may_make: bool
    """Whether it may make a new store."""

    has_begun: bool
    """Whether it, or the process whose place it took, has used this store before.

    It goes on while a store is brought up to the next version by others.
    """


async def attach(link: Link, known: Known) -> Primary:
    """Look at the server of a connection, and at the store there.

    Raises `LinkLost` and `LinkRefused`.
    """
    try:
        return await _attach(link, known)
    except (AttributeError, IndexError, TypeError, ValueError):
        await link.close()
        raise LinkLost("it answers what no Redis server does") from None


async def _attach(link: Link, known: Known) -> Primary:
    info = await read_info(link)
    require_suitable(info)
    fsync = await _fsync(link)
    keeps_all = info.get("aof_enabled") == "1" and fsync == "always"
    if known.may_make and not keeps_all:
        logger.warning("%s", _may_lose(info, fsync))
    replicated = known.by_sentinels or int(info.get("connected_slaves", "0")) > 0
    last = known.last or START
    words: tuple[Word, ...] = (
        redis_keys.SCHEMA_VERSION,
        redis_keys.SCHEMA_VERSION + known.has_begun,
        int(known.may_make),
        info.get("run_id", ""),
        int(replicated),
        int(not keeps_all),
        int(info.get("evicted_keys", "0")),
        known.issued_until,
        last.sequence,
        last.hash,
    )
    keys = [redis_keys.STATE, redis_keys.event(last.sequence)]
    answer, *rest = [each.decode() for each in await link.run(ATTACH, keys, words)]
    if answer == "lost":
        logger.warning(
            "the store may have lost writes (another primary, a server that was started anew or has"
            " evicted, or an older copy): tokens for one use that were issued before are refused"
        )
    if answer == "newer":
        raise LinkRefused(newer(int(rest[0])), permanent=True)
    if answer == "gone":
        raise LinkRefused("it has lost the store: restore a backup, or start the broker anew")
    if answer == "half":
        raise LinkRefused(HALF, permanent=True)
    if answer == "damaged":
        raise LinkRefused(DAMAGED, permanent=True)
    return Primary(replicated=rest[0] == "1", may_have_lost=answer == "lost")


async def has_schema(link: Link) -> bool:
    """Tell whether there is a store. Raises as `Link.call`, and `LinkRefused` for a newer one."""
    found = await link.call("HMGET", redis_keys.STATE, "schema", redis_keys.COPYING)
    try:
        schema, copying = int(found[0] or 0), found[1]
    except (TypeError, ValueError):
        raise LinkRefused(DAMAGED, permanent=True) from None
    if copying is not None:
        raise LinkRefused(HALF, permanent=True)
    if schema > redis_keys.SCHEMA_VERSION:
        raise LinkRefused(newer(schema), permanent=True)
    return schema > 0


def newer(schema: int) -> str:
    """Say that a store is of a newer version."""
    return (
        f"it was written by a newer broker (schema {schema}, this one knows"
        f" {redis_keys.SCHEMA_VERSION}): run that version, or restore a backup made before the"
        " upgrade"
    )


def require_suitable(info: dict[str, str]) -> None:
    """Look at what a server says of itself. Raises `LinkLost` and `LinkRefused`."""
    # Meanwhile it also says that it keeps no log of writes.
    if info.get("loading") == "1":
        raise LinkLost("it is still loading its data")
    version = info.get("redis_version", "0.0")
    if tuple(map(int, version.split(".")[:2])) < OLDEST_SERVER:
        raise LinkRefused(f"Redis {version} is too old: 6.2 or newer is needed", permanent=True)
    if info.get("cluster_enabled") == "1":
        raise LinkRefused(
            "a cluster is no store: name a single server, or one with replicas", permanent=True
        )
    policy = info.get("maxmemory_policy", "")
    if policy != "noeviction":
        raise LinkRefused(
            f"it has maxmemory-policy {policy}, which would forget spent tokens and revocations:"
            " set `maxmemory-policy noeviction` in its configuration",
            permanent=True,
        )
    if info.get("role") != "master":
        raise LinkLost("it is a replica: name its primary, or the Sentinels that know it")


async def _fsync(link: Link) -> str | None:
    """Ask when the server writes to its disk; None when it does not tell."""
    try:
        answer = await link.call("CONFIG", "GET", "appendfsync")
    except LinkRefused:
        return None
    values = answer.values() if isinstance(answer, dict) else answer[1:]
    return next((value.decode() for value in values), None)


def _may_lose(info: dict[str, str], fsync: str | None) -> str:
    mend = "set `appendonly yes` and `appendfsync always` in its configuration"
    if info.get("aof_enabled") != "1":
        return f"a crash of the Redis server loses all since its last snapshot, or all: {mend}"
    if fsync is None:
        return (
            "the Redis server does not tell its `appendfsync`: unless that is `always`, a crash"
            " loses the last writes (allow the user CONFIG GET to have it looked at)"
        )
    lost = "the last second" if fsync == "everysec" else "what the system had not written"
    return f"the Redis server has appendfsync {fsync}, so that a crash loses {lost}: {mend}"


async def read_info(link: Link) -> dict[str, str]:
    """Ask a server what it says of itself. Raises as `Link.call`."""
    text: bytes = await link.call("INFO")
    lines = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}
