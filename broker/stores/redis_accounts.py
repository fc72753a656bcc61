"""The rows of accounts and client secrets, each sealed by whoever writes them."""

from collections.abc import Iterable, Sequence
from typing import Any

from broker.ports import AccountRow, AccountRows, SecretRow
from broker.stores import redis_keys
from broker.stores.redis_batch import Batch
from broker.stores.redis_link import Command, Link
from broker.stores.redis_rows import UNREADABLE, content, pairs, read_row, row_text

_ACCOUNT = "account"
KINDS = (_ACCOUNT, "override")


async def find(link: Link, client_id: str, kind: str) -> AccountRow | None:
    """Find the row of an account, or what is said beside the files of one that they define."""
    text = await link.call("HGET", redis_keys.accounts(kind), client_id)
    return None if text is None else read_account(client_id, kind, text)


async def rows_of(link: Link, client_ids: Iterable[str], kind: str = _ACCOUNT) -> list[AccountRow]:
    """Find the rows of some accounts, those of deleted ones included."""
    wanted = list(dict.fromkeys(client_ids))
    if not wanted:
        return []
    texts = await link.call("HMGET", redis_keys.accounts(kind), *wanted)
    found = zip(wanted, texts, strict=True)
    return [read_account(client_id, kind, text) for client_id, text in found if text is not None]


async def page(
    link: Link, kind: str, organization: str | None, after: str, limit: int
) -> list[AccountRow]:
    """List rows that are not deleted, by id; those of one organization only, if given."""
    key = redis_keys.account_ids(kind)
    if organization is not None:
        key = redis_keys.account_ids_of(kind, organization)
    ids = await link.call("ZRANGEBYLEX", key, f"({after}", "+", "LIMIT", 0, limit)
    return await rows_of(link, [each.decode() for each in ids], kind)


async def ids_within(link: Link, organization: str) -> list[str]:
    """Name the accounts of an organization, the deleted ones included."""
    found = await link.call("SMEMBERS", redis_keys.every_id_within(organization))
    return [each.decode() for each in found]


async def count(link: Link, organization: str | None) -> int:
    """Count the accounts of an organization, or of none, that are not deleted."""
    return int(await link.call("ZCARD", redis_keys.account_ids_of(_ACCOUNT, organization)))


async def secret_of_digest(link: Link, digest: bytes) -> SecretRow | None:
    """Find a secret by its digest."""
    secret_id = await link.call("HGET", redis_keys.SECRET_DIGESTS, digest)
    if secret_id is None:
        return None
    # It may have become another's since it was found.
    rows = await _secrets(link, [secret_id.decode()])
    return next((row for row in rows if row.digest == digest), None)


async def secrets_of(link: Link, client_id: str) -> list[SecretRow]:
    """List the secrets of an account by their ids."""
    found = await link.call("SMEMBERS", redis_keys.secrets_of(client_id))
    return await _secrets(link, sorted(each.decode() for each in found))


async def having_secrets(link: Link) -> list[str]:
    """Name the accounts that have secrets, by id."""
    found = await link.call("ZRANGEBYLEX", redis_keys.HAVING_SECRETS, "-", "+")
    return [each.decode() for each in found]


async def last_uses(link: Link, client_id: str) -> dict[str, float]:
    """Tell when an account and its secrets were last used."""
    found = await link.call("ZRANGE", redis_keys.last_uses(client_id), 0, -1, "WITHSCORES")
    return {used.decode(): float(used_at) for used, used_at in scored(found)}


async def last_used(link: Link, client_ids: Sequence[str]) -> dict[str, float]:
    """Tell when some accounts were last used."""
    if not client_ids:
        return {}
    commands: list[Command] = [("ZSCORE", redis_keys.last_uses(each), each) for each in client_ids]
    found = zip(client_ids, await link.calls(commands), strict=True)
    return {client_id: float(used_at) for client_id, used_at in found if used_at is not None}


async def given(link: Link, client_ids: Sequence[str]) -> frozenset[str]:
    """Say which ids have an account, or had one."""
    return frozenset(row.client_id for row in await rows_of(link, client_ids))


async def change(link: Link, epoch: int, planned: AccountRows) -> Batch | None:
    """Make the batch of a change; None when it does not fit."""
    if epoch != planned.epoch or await given(link, sorted(planned.new_ids)):
        return None
    batch = Batch(epoch=epoch)
    await put(link, batch, planned.accounts, planned.secrets, planned.removed_secrets)
    batch.raise_epoch()
    return batch


async def put(
    link: Link,
    batch: Batch,
    accounts: Sequence[AccountRow],
    secrets: Sequence[SecretRow],
    removed_secrets: Sequence[str] = (),
) -> None:
    """Insert rows into a batch, or replace those of the same accounts and secrets."""
    for kind in KINDS:
        rows = [row for row in accounts if row.kind == kind]
        before = {
            row.client_id: row for row in await rows_of(link, [r.client_id for r in rows], kind)
        }
        for row in rows:
            put_account(batch, row, before.get(row.client_id))
    await _put_secrets(link, batch, secrets, removed_secrets)


def uses(noted: dict[str, dict[str, float]]) -> list[Command]:
    """Note when secrets were last used, by account and secret."""
    commands: list[Command] = []
    for client_id, of_account in noted.items():
        words = [word for used, at in of_account.items() for word in (repr(at), used)]
        commands.append(("ZADD", redis_keys.last_uses(client_id), "GT", *words))
    return commands


async def every(link: Link) -> tuple[tuple[AccountRow, ...], tuple[SecretRow, ...]]:
    """List all rows, the deleted ones included."""
    accounts: list[AccountRow] = []
    for kind in KINDS:
        found = pairs(await link.call("HGETALL", redis_keys.accounts(kind)))
        accounts += [read_account(each.decode(), kind, text) for each, text in found.items()]
    secrets = pairs(await link.call("HGETALL", redis_keys.SECRETS))
    return tuple(accounts), tuple(
        read_secret(each.decode(), text) for each, text in secrets.items()
    )


def put_account(batch: Batch, row: AccountRow, before: AccountRow | None) -> None:
    """Insert a row into a batch, or replace the one that was there before."""
    client_id, kind = row.client_id, row.kind
    text = row_text(
        {"organization": row.organization, "deleted": row.deleted, "content": row.content}
    )
    batch.commands.append(("HSET", redis_keys.accounts(kind), client_id, text))
    if before is not None and before.organization != row.organization:
        of_before = redis_keys.account_ids_of(kind, before.organization)
        batch.commands.append(("ZREM", of_before, client_id))
        if kind == _ACCOUNT and before.organization is not None:
            every_id = redis_keys.every_id_within(before.organization)
            batch.commands.append(("SREM", every_id, client_id))
    for key in (redis_keys.account_ids(kind), redis_keys.account_ids_of(kind, row.organization)):
        if row.deleted:
            batch.commands.append(("ZREM", key, client_id))
        else:
            batch.commands.append(("ZADD", key, 0, client_id))
    if kind == _ACCOUNT and row.organization is not None:
        every_id = redis_keys.every_id_within(row.organization)
        batch.commands.append(("SADD", every_id, client_id))


def put_secret(batch: Batch, row: SecretRow) -> None:
    """Insert a row into a batch, of which there is none."""
    text = row_text({"client_id": row.client_id, "digest": row.digest, "content": row.content})
    batch.commands += [
        ("HSET", redis_keys.SECRETS, row.secret_id, text),
        ("HSET", redis_keys.SECRET_DIGESTS, row.digest, row.secret_id),
        ("SADD", redis_keys.secrets_of(row.client_id), row.secret_id),
        ("ZADD", redis_keys.HAVING_SECRETS, 0, row.client_id),
    ]


async def _put_secrets(
    link: Link, batch: Batch, secrets: Sequence[SecretRow], removed: Sequence[str]
) -> None:
    before = {
        row.secret_id: row
        for row in await _secrets(link, [*(each.secret_id for each in secrets), *removed])
    }
    gone = [before[each] for each in removed if each in before]
    replaced = [before[each.secret_id] for each in secrets if each.secret_id in before]
    for row in (*gone, *replaced):
        batch.commands.append(("HDEL", redis_keys.SECRET_DIGESTS, row.digest))
    for row in gone:
        batch.commands.append(("HDEL", redis_keys.SECRETS, row.secret_id))
        batch.commands.append(("SREM", redis_keys.secrets_of(row.client_id), row.secret_id))
        batch.commands.append(("ZREM", redis_keys.last_uses(row.client_id), row.secret_id))
    for row in secrets:
        put_secret(batch, row)
    kept = {row.client_id for row in secrets}
    for client_id in {row.client_id for row in gone} - kept:
        left = {row.secret_id for row in await secrets_of(link, client_id)}
        if left <= {row.secret_id for row in gone}:
            batch.commands.append(("ZREM", redis_keys.HAVING_SECRETS, client_id))


async def _secrets(link: Link, secret_ids: Sequence[str]) -> list[SecretRow]:
    if not secret_ids:
        return []
    texts = await link.call("HMGET", redis_keys.SECRETS, *secret_ids)
    found = zip(secret_ids, texts, strict=True)
    return [read_secret(secret_id, text) for secret_id, text in found if text is not None]


def read_account(client_id: str, kind: str, text: bytes) -> AccountRow:
    """Read the row of an account."""
    try:
        row = read_row(text)
        return AccountRow(
            client_id, kind, row["organization"], bool(row["deleted"]), content(row, "content")
        )
    except UNREADABLE:
        return AccountRow(client_id, kind, None, deleted=False, content=b"")


def read_secret(secret_id: str, text: bytes) -> SecretRow:
    """Read the row of a secret."""
    try:
        row = read_row(text)
        digest, sealed = content(row, "digest"), content(row, "content")
        return SecretRow(secret_id, str(row["client_id"]), digest, sealed)
    except UNREADABLE:
        return SecretRow(secret_id, "", b"", b"")


def scored(found: list[Any]) -> list[Any]:
    """Give pairs of members and scores, as either protocol answers them."""
    if found and not isinstance(found[0], list | tuple):
        return list(zip(found[::2], found[1::2], strict=True))
    return found
