"""Exports of events as `broker audit export` writes them, made of their members."""

from collections.abc import Iterable
from typing import Any

from broker.core.audit import GENESIS, SerializedEvent


def exported(events: Iterable[dict[str, Any]]) -> str:
    """Chain events, and write each as a line."""
    prev, lines = GENESIS, []
    for number, event in enumerate(events, start=1):
        chained = SerializedEvent.of_members(event).at(number, prev)
        prev = chained.hash
        lines.append(f"{chained.line()}\n")
    return "".join(lines)
