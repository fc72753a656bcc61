"""What the clients were told: their own record, which the broker's is held against."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

UNANSWERED: Final = 0
"""The status of a request whose answer never came: it may or may not have counted."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request and what came back."""

    kind: str
    subject_token_id: str
    """The fingerprint that the broker's audit knows the CI token by."""

    status: int
    reason: str | None = None
    token_id: str | None = None
    decision_id: str | None = None


@dataclass
class ClientRecord:
    """Every attempt of every client, in the order in which they ended."""

    attempts: list[Attempt] = field(default_factory=list)
    wrongly_accepted: list[str] = field(default_factory=list)
    """In words, what was accepted though it must not be."""

    broken: list[str] = field(default_factory=list)
    """Answers that no fault excuses: a 500, a body that is no JSON, a token that is no good."""

    def summary(self) -> str:
        """Count the attempts by kind and by what became of them."""
        counts = Counter((each.kind, _outcome(each)) for each in self.attempts)
        return "\n".join(
            f"  {kind:10} {outcome:28} {count:7}"
            for (kind, outcome), count in sorted(counts.items())
        )


def _outcome(attempt: Attempt) -> str:
    if attempt.status == UNANSWERED:
        return "no answer"
    return f"{attempt.status} {attempt.reason or ''}".strip()
