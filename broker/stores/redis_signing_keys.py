"""The rows of the broker's own signing keys."""

import logging

from broker.core.signing_keys import SigningSchedule
from broker.ports import SigningKeyChange, SigningKeyRow
from broker.stores import redis_keys
from broker.stores.redis_batch import Batch
from broker.stores.redis_link import Link
from broker.stores.redis_rows import UNREADABLE, content, pairs, read_row, row_text

logger = logging.getLogger(__name__)


async def read(link: Link) -> list[SigningKeyRow]:
    """List every row, the oldest generation first."""
    found = pairs(await link.call("HGETALL", redis_keys.SIGNING_KEYS))
    read_rows = (_row(place.decode(errors="replace"), text) for place, text in found.items())
    rows = [row for row in read_rows if row is not None]
    return sorted(rows, key=lambda row: (row.generation, row.algorithm))


async def change(link: Link, epoch: int, planned: SigningKeyChange) -> Batch | None:
    """Make the batch of a change; None when it does not fit."""
    there = {_place(row): row.key_id for row in await read(link)}
    fits = all(there.get(_place(row), row.key_id) == row.key_id for row in planned.put)
    if epoch != planned.epoch or not fits:
        return None
    batch = Batch(epoch=epoch)
    for row in planned.removed:
        if there.get(_place(row)) == row.key_id:
            batch.commands.append(("HDEL", redis_keys.SIGNING_KEYS, _place(row)))
    for row in planned.put:
        put(batch, row)
    batch.raise_epoch()
    return batch


def put(batch: Batch, row: SigningKeyRow) -> None:
    """Insert a row into a batch, or replace the one that has its place."""
    times = row.schedule
    text = row_text(
        {
            "key_id": row.key_id,
            "publish_at": times.publish_at,
            "sign_from": times.sign_from,
            "sign_until": times.sign_until,
            "remove_at": times.remove_at,
            "wrapped": row.wrapped,
        }
    )
    batch.commands.append(("HSET", redis_keys.SIGNING_KEYS, _place(row), text))


def _place(row: SigningKeyRow) -> str:
    return f"{row.algorithm}|{row.generation}"


def _row(place: str, text: bytes) -> SigningKeyRow | None:
    algorithm, _, generation = place.rpartition("|")
    if not (generation.isascii() and generation.isdigit()):
        logger.error("what lies among the signing keys under %.100r is none of ours", place)
        return None
    try:
        row = read_row(text)
        key_id, wrapped = str(row["key_id"]), content(row, "wrapped")
        begin, end = (row["publish_at"], row["sign_from"]), (row["sign_until"], row["remove_at"])
        schedule = SigningSchedule(
            float(begin[0]),
            float(begin[1]),
            *(None if each is None else float(each) for each in end),
        )
    except UNREADABLE:
        key_id, wrapped, schedule = place, b"", SigningSchedule(0, 0)
    return SigningKeyRow(key_id, algorithm, int(generation), schedule, wrapped)
