"""What the commands that move a store say in the end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer

from broker.cli.terminal import show, signed

if TYPE_CHECKING:
    from broker.copying.verification import Verified
    from broker.core.audit_head import HeadKey


INTERRUPTED: Final = (
    "broker: interrupted before the end: a file is as it was before, and a place in Redis holds no"
    " store until this is run again"
)


@contextmanager
def told_if_interrupted() -> Iterator[None]:
    """Say how it stands when the command is ended by SIGINT."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(INTERRUPTED, err=True)
        raise


def head_members(
    verified: "Verified", head_key: "HeadKey | None", now: float
) -> dict[str, Any] | None:
    """Give where the chain of a store ends, signed if its key is there; None without an event."""
    from broker.core.audit import rfc3339

    end = verified.chain.ends_at
    if end is None:
        return None
    if head_key is not None:
        return head_key.head(end, now).members()
    return {"seq": end.sequence, "hash": end.hash, "time": rfc3339(now)}


def tell(
    source: str,
    target: str,
    verified: "Verified",
    head: dict[str, Any] | None,
    *,
    seals: bool,
    as_json: bool,
    **more: Any,  # noqa: ANN401 - whatever JSON has
) -> None:
    """Print what was moved."""
    counts = dict(verified.tallies.counts())
    begins = verified.chain.begins_after.sequence
    if as_json:
        members = {
            "from": source, "to": target, "rows": counts, "begins_after": begins,
            "seals_verified": seals, "head": head, **more,
        }  # fmt: skip
        typer.echo(json.dumps(members))
        return
    end = verified.chain.ends_at
    span = "" if end is None else f", from {begins + 1} to {end.sequence}"
    beside = ", ".join(
        f"{name.replace('_', ' ')} {number}"
        for name, number in counts.items()
        if name != "events" and number
    )
    lines = [
        f"[ok] {target} holds what {source} held, and the chain is whole",
        f"events: {counts['events']}{span}",
    ]
    if beside:
        lines.append(f"rows beside them: {beside}")
    if head is not None:
        lines.append(json.dumps(head, separators=(",", ":")))
    show(signed("".join(f"{line}\n" for line in lines)))
