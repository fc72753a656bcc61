"""Rows of docs/reference/interop.md: what a verifier accepts, and which near misses it lets in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.docs.markdown import Page
from tests.interop.near_misses import ALGORITHMS, at_now, near_misses
from tests.verify.publishing import signing_key

PAGE: Final = Page("docs/reference/interop.md")


@dataclass(frozen=True)
class Row:
    verifier: str
    version: str
    accepted: tuple[str, ...]
    refused: str
    but: frozenset[str]

    @property
    def line(self) -> str:
        but = ", ".join(sorted(self.but)) or "—"
        cells = (self.verifier, self.version, ", ".join(self.accepted), self.refused, but)
        return f"| {' | '.join(cells)} |"


def rows_of_the_page() -> list[Row]:
    """Read every row that tells of near misses."""
    found = []
    for line in PAGE.text.splitlines():
        cells = line.strip("| ").split(" | ")
        if line.startswith("| ") and " of " in cells[-2]:
            verifier, version, accepted, refused, but = cells
            let_in = frozenset() if but == "—" else frozenset(but.split(", "))
            found.append(Row(verifier, version, tuple(accepted.split(", ")), refused, let_in))
    return found


def found(
    verifier: str,
    version: str,
    lets_in: Callable[[str, Sequence[str]], Sequence[bool]],
    token_type: str = "at+jwt",
    **service: Any,
) -> Row:
    """Show a verifier a good token of each algorithm, and where it is taken the near misses.

    `lets_in` tells of tokens of an algorithm whether each is let in, by a service of those claims.
    """
    accepted, let_in = [], set[str]()
    misses: dict[str, str] = {}
    for algorithm in ALGORITHMS:
        good = at_now(signing_key(algorithm), header={"typ": token_type}, **service)
        if list(lets_in(algorithm, [good])) != [True]:
            continue
        accepted.append(algorithm)
        misses = near_misses(algorithm, token_type, **service)
        told = lets_in(algorithm, list(misses.values()))
        let_in |= {name for name, came_in in zip(misses, told, strict=True) if came_in}
    refused = f"{len(misses) - len(let_in)} of {len(misses)}"
    return Row(verifier, version, tuple(accepted), refused, frozenset(let_in))
