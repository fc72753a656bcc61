"""Rows of a store's contents, made of what its ports give, and the other way round."""

import json
from typing import Any, cast

from broker.core.blocks import Block
from broker.core.signing_keys import SigningSchedule
from broker.ports import AccountRow, SecretRow, SigningKeyRow
from broker.ports.contents import Row


def row_of_account(row: AccountRow) -> Row:
    """Make a row of `ACCOUNTS`."""
    return row.client_id, row.kind, row.organization, int(row.deleted), row.content


def account_of(row: Row) -> AccountRow:
    """Read a row of `ACCOUNTS`."""
    client_id, kind, organization, deleted, content = cast("Any", row)
    return AccountRow(client_id, kind, organization, bool(deleted), content)


def row_of_secret(row: SecretRow) -> Row:
    """Make a row of `CLIENT_SECRETS`."""
    return row.secret_id, row.client_id, row.digest, row.content


def secret_of(row: Row) -> SecretRow:
    """Read a row of `CLIENT_SECRETS`."""
    return SecretRow(*cast("Any", row))


def row_of_key(row: SigningKeyRow) -> Row:
    """Make a row of `SIGNING_KEYS`."""
    times = row.schedule
    instants = (times.publish_at, times.sign_from, times.sign_until, times.remove_at)
    # As floats, whatever they were written as.
    floats = (None if each is None else float(each) for each in instants)
    return row.algorithm, row.generation, row.key_id, *floats, row.wrapped


def key_of(row: Row) -> SigningKeyRow:
    """Read a row of `SIGNING_KEYS`."""
    algorithm, generation, key_id, *schedule, wrapped = cast("Any", row)
    return SigningKeyRow(key_id, algorithm, generation, SigningSchedule(*schedule), wrapped)


def row_of_block(block: Block) -> Row:
    """Make a row of `BLOCKS`."""
    members = {
        "where": dict(block.where),
        "reason": block.reason,
        "created_at": block.created_at,
        "created_by": block.created_by,
    }
    expires_at = None if block.expires_at is None else float(block.expires_at)
    return block.block_id, expires_at, json.dumps(members)


def block_of(row: Row) -> Block:
    """Read a row of `BLOCKS`."""
    block_id, expires_at, content = cast("Any", row)
    members: dict[str, Any] = json.loads(content)
    return Block(block_id=block_id, expires_at=expires_at, **members)
