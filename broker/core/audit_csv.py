"""Audit events as rows for a spreadsheet."""

from collections.abc import Mapping
from typing import Any, Final

from broker.core.audit import AuditEvent
from broker.core.csv_text import csv_line

HEADER: Final = (
    "seq",
    *AuditEvent(id="", time=0.0, type="", outcome="", would={}, claims_left_out=("",)).members(),
    "prev",
    "hash",
)
"""The members that an event may have, in the order of its line."""


def header() -> str:
    """Give the first line, with its end."""
    return csv_line(HEADER)


def row(members: Mapping[str, Any]) -> str:
    """Give the line of an event, with its end."""
    return csv_line(members.get(name) for name in HEADER)
