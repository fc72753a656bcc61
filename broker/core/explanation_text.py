"""An explanation as lines for a terminal: the decision, the policies nearest first, the fix."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from broker.core.condition_text import Operator, expected_by, shown, yaml
from broker.core.decision import Decision, Permit
from broker.core.explain import Explanation
from broker.core.judged_policy import Candidate, ConditionResult
from broker.core.observation_text import observation_text


@dataclass(frozen=True, slots=True)
class _Marks:
    holds: str
    fails: str


_SIGNS = _Marks("✓", "✗")
_WORDS = _Marks("[ok]", "[no]")


def render(explanation: Explanation, *, ascii_only: bool = False) -> str:
    """Write an explanation as lines, each ended by a line feed.

    `ascii_only` is for terminals and logs that show nothing else. What a token says never begins a
    line and never holds a control character (attacks rows 58, 174).
    """
    marks = _WORDS if ascii_only else _SIGNS
    text = "".join(f"{line}\n" for line in _lines(explanation, marks))
    return text.encode("ascii", "backslashreplace").decode() if ascii_only else text


def _lines(explanation: Explanation, marks: _Marks) -> Iterator[str]:
    if explanation.reason is not None:
        yield f"deny: {explanation.reason}"
    else:
        yield f"permit: {explanation.service_account} at {explanation.audience}"
        yield f"  sub: {explanation.sub}"
        yield f"  scopes: {' '.join(explanation.scopes or ()) or 'none'}"
        yield f"  ttl: {explanation.ttl} seconds"
        yield from _own_claims(explanation.case.decision)
    for candidate in explanation.candidates:
        yield ""
        yield from _candidate(candidate, marks)
    if explanation.fix is not None:
        yield ""
        for line in explanation.fix.split("\n"):
            yield f"fix: {line}"
    observed, observation = explanation.observed()
    if observation is not None:
        yield ""
        yield f"observed: {observation_text(observed, observation.members())}"


def _own_claims(decision: Decision) -> Iterator[str]:
    """Show the claims of the service's own; what stands in them is never more than it looks."""
    if isinstance(decision, Permit) and decision.claims is not None:
        for name, value in decision.claims.items():
            yield f"  {name}: {json.dumps(value)}"


def _candidate(candidate: Candidate, marks: _Marks) -> Iterator[str]:
    policy = candidate.policy
    whom = f"allow, service account {policy.service_account}" if candidate.allows else "deny"
    place = f", {policy.place}" if policy.place else ""
    yield f"{marks.holds if candidate.holds else marks.fails} policy {policy.name} ({whom}{place})"
    for result in candidate.conditions:
        yield f"    {marks.holds if result.holds else marks.fails} {condition_text(result)}"
    if candidate.expired:
        yield f"    {marks.fails} expired"
    if candidate.other_account:
        yield f"    {marks.fails} another service account was asked for"
    if candidate.other_service:
        of_policy = "does not reach" if candidate.allows else "spares"
        yield f"    {marks.fails} {of_policy} the service asked for"
    if candidate.withheld:
        yield f"    {marks.fails} a condition on who started the job, not shown here"


def condition_text(result: ConditionResult) -> str:
    """Write one condition: the claim, what was expected of it and what the token has."""
    expected = yaml(expected_by(result.operator, result.condition.matcher))
    operator = result.operator.value.replace("_", " ")
    if result.operator is Operator.EQUALS:
        wanted = f"expected {expected}"
    elif result.operator is not Operator.GUARD:
        wanted = f"expected {operator} {expected}"
    else:
        wanted = "guard" if result.holds else f"guard expected {expected} or to be named"
    return f"{result.claim}: {wanted}, got {shown(result.value)}"
