"""The reports that there are, and which of them need no traffic."""

from enum import StrEnum
from typing import Final


class ReportName(StrEnum):
    """One report on the policies of a set."""

    UNUSED = "unused"
    """Policies, accounts and services that no decision on record was about."""

    OVER_BROAD = "over-broad"
    """Conditions and grants that allow more than was ever seen."""

    SUB_FORM = "sub-form"
    """What breaks when GitHub writes ids into the `sub` of a repository."""

    SHADOWED = "shadowed"
    """Policies that decide nothing which others would not decide the same."""

    EXPIRING = "expiring"
    """Policies that end soon or have ended, and the runs that depend on them."""


ALL: Final = tuple(ReportName)

WITHOUT_TRAFFIC: Final = frozenset({ReportName.SHADOWED, ReportName.EXPIRING})
"""What can be told from the files alone, if less of it."""
