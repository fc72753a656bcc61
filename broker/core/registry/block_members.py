"""A block as a request writes it, read into what is kept, and shown again (contract §5)."""

from collections.abc import Mapping
from typing import Any, Final

from broker.core.audit import rfc3339
from broker.core.blocks import Block
from broker.core.claims import text_of
from broker.core.indexed_policies import IndexedPolicies
from broker.core.registry.block_reach import require_reach
from broker.core.registry.members import duration
from broker.core.registry.refused import invalid

MAX_NAMES: Final = 20
MAX_VALUE: Final = 1024
MAX_REASON: Final = 200
MAX_TTL: Final = 365 * 86_400

_MEMBERS: Final = frozenset({"where", "reason", "ttl"})


def read_block(
    members: Mapping[str, Any],
    policies: IndexedPolicies,
    *,
    block_id: str,
    actor: str,
    now: float,
) -> Block:
    """Read what a request says. `now` is in seconds since the epoch. Raises `ChangeRefused`.

    What no token could ever have is refused: a brake that holds nothing is worse than none.
    """
    for name in members:
        if name not in _MEMBERS:
            raise invalid(str(name)[:64], "is not known; there are where, reason and ttl")
    ttl = members.get("ttl")
    seconds = None if ttl is None else duration("ttl", ttl, minimum=1, maximum=MAX_TTL)
    return Block(
        block_id=block_id,
        where=_where(members.get("where"), policies),
        reason=_reason(members.get("reason")),
        created_at=now,
        created_by=actor,
        expires_at=None if seconds is None else now + seconds,
    )


def block_members(block: Block) -> dict[str, Any]:
    """Show a block."""
    expires_at = None if block.expires_at is None else rfc3339(block.expires_at)
    return {
        "id": block.block_id,
        "where": dict(block.where),
        "reason": block.reason,
        "created_at": rfc3339(block.created_at),
        "created_by": block.created_by,
        "expires_at": expires_at,
    }


def _reason(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_REASON or not value.isprintable():
        raise invalid("reason", f"must say why, in 1 to {MAX_REASON} printable characters")
    return value


def _where(value: object, policies: IndexedPolicies) -> dict[str, str]:
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_NAMES:
        raise invalid("where", f"must be an object with 1 to {MAX_NAMES} members")
    where: dict[str, str] = {}
    for name, wanted in value.items():
        text = text_of(wanted)
        if text is None or len(text) > MAX_VALUE or not text.isprintable() or text != text.strip():
            raise invalid(
                f"where.{name[:64]}",
                f"must be one value of 1 to {MAX_VALUE} printable characters, with no space around",
            )
        where[name] = text
    require_reach(where, policies)
    return dict(sorted(where.items()))
