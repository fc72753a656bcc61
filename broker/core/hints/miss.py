"""One condition that does not hold, and the questions that hints ask about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from broker.core.claims import text_of
from broker.core.condition_text import shown
from broker.core.conditions import AnyOf, Condition, Equals, Matcher, Single
from broker.core.judged_policy import Case, ConditionResult


@dataclass(frozen=True, slots=True)
class Miss:
    """One condition that does not hold, in the policy where it stands."""

    case: Case
    policy: str
    """The policy's name."""

    own: Sequence[Condition]
    """All conditions of the policy."""

    result: ConditionResult

    @property
    def claim(self) -> str:
        """The claim's name, or the pointer to it."""
        return self.result.claim

    @property
    def matcher(self) -> Matcher:
        """What the claim had to satisfy."""
        return self.result.condition.matcher

    @property
    def text(self) -> str | None:
        """What the token has, as the text that is compared."""
        return text_of(self.result.value)

    @property
    def shown(self) -> str:
        """What the token has, for a sentence."""
        return shown(self.result.value)

    def text_in(self, claim: str) -> str | None:
        """Give the text of another claim of the token."""
        return text_of(self.case.claims.get(claim))

    def would_hold(
        self, text: str | None, matcher: Matcher | None = None, *, folded: bool = False
    ) -> bool:
        """Tell whether the condition would hold for another text, or with another matcher."""
        folded = folded or self.result.condition.folded
        return Condition("x", matcher or self.matcher, folded).holds({"x": text})

    def literals(self) -> tuple[str, ...]:
        """Give the values that the condition names literally."""
        return self.result.condition.named_literals()

    def rewritten(self, change: Callable[[Single], Single]) -> Matcher:
        """Give the matcher with each of its items changed; as it is where it has none."""
        if isinstance(self.matcher, AnyOf):
            return AnyOf(tuple(map(change, self.matcher.items)))
        return change(self.matcher) if isinstance(self.matcher, Single) else self.matcher

    def holds_in_policy(self, claim: str) -> bool:
        """Tell whether the policy has conditions on another claim, and they hold."""
        conditions = [each for each in self.own if each.claim == claim]
        return bool(conditions) and all(each.holds(self.case.claims) for each in conditions)

    def is_equality(self) -> bool:
        """Tell whether the condition admits one literal."""
        return isinstance(self.matcher, Equals)


Hint = Callable[[Miss], str | None]
"""A sentence when the hint fits, else None."""


def first_of(hints: Sequence[Hint], miss: Miss) -> str | None:
    """Give the first hint that fits."""
    return next((hint for each in hints if (hint := each(miss)) is not None), None)
