"""What was read or written of the parts of a store, summed up so that two can be compared."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from broker.ports.contents import PARTS, Part, Row

_MODULUS: Final = 1 << 256


@dataclass(slots=True)
class Tally:
    """How many rows, and the sum of their digests, whatever their order."""

    rows: int = 0
    digest: int = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        self.rows += len(rows)
        for row in rows:
            written = repr(row).encode(errors="surrogatepass")
            self.digest += int.from_bytes(hashlib.sha256(written).digest(), "big")
        self.digest %= _MODULUS


@dataclass(slots=True)
class Tallies:
    """The tallies of all parts."""

    of_parts: dict[str, Tally] = field(
        default_factory=lambda: {part.name: Tally() for part in PARTS}
    )

    def add(self, part: Part, rows: Sequence[Row]) -> None:
        """Add rows of a part."""
        self.of_parts[part.name].add(rows)

    def differing(self, other: "Tallies") -> list[str]:
        """Name the parts that are not the same in both."""
        mine, others = self.of_parts, other.of_parts
        return [name for name, tally in mine.items() if others[name] != tally]

    def counts(self) -> Mapping[str, int]:
        """Give the numbers of rows by part."""
        return {name: tally.rows for name, tally in self.of_parts.items()}
