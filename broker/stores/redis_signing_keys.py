"""The rows of the broker's own signing keys."""

from broker.core.signing_keys import SigningSchedule
from broker.ports import SigningKeyChange, SigningKeyRow
from broker.stores import redis_keys
from broker.stores.redis_batch import Batch
from broker.stores.redis_link import Link
from broker.stores.redis_rows import content, pairs, read_row, row_text


async def read(link: Link) -> list[SigningKeyRow]:
    """List every row, the oldest generation first."""
    found = pairs(await link.call("HGETALL", redis_keys.SIGNING_KEYS))
    rows = [_row(place.decode(), text) for place, text in found.items()]
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


def _row(place: str, text: bytes) -> SigningKeyRow:
    algorithm, _, generation = place.rpartition("|")
    row = read_row(text)
    times = ("publish_at", "sign_from", "sign_until", "remove_at")
    return SigningKeyRow(
        key_id=row["key_id"],
        algorithm=algorithm,
        generation=int(generation),
        schedule=SigningSchedule(*(row[each] for each in times)),
        wrapped=content(row, "wrapped"),
    )
