"""What running snippets do not see of a token, as docs/reference/snippets.md says."""

from collections.abc import Mapping
from typing import Final

BLIND_SPOTS: Final[Mapping[str, frozenset[str]]] = {
    "envoy": frozenset({"another type"}),
    "kubernetes": frozenset({"another type"}),
    "vault": frozenset({"another type", "no end", "two audiences"}),
}
"""By form, the near misses (tests/snippets/presented.py) that it lets in; those without a row let
in none. The broker signs no such token."""


def let_in_by(form: str) -> frozenset[str]:
    """Give the near misses that a form lets in."""
    return BLIND_SPOTS.get(form, frozenset())
