"""What a test expects, held against a decision: a sentence where they differ."""

from collections.abc import Iterator

from broker.core.decision import Decision, Deny, Permit
from broker.core.durations import duration_text
from broker.core.explain import Explanation
from broker.core.explanation_text import condition_text
from broker.core.judged_policy import Candidate
from broker.policy_files.policy_tests import Expectation


def unmet(expect: Expectation, decision: Decision) -> str | None:
    """Say what was expected and what was decided, None when the decision is as expected."""
    if isinstance(decision, Permit):
        if expect.decision == "deny":
            return f"expected {_expected(expect)}, got {_permit(decision)}"
        differences = "; ".join(_differences(expect, decision))
        return f"expected {_expected(expect)}, got {differences}" if differences else None
    if expect.decision == "deny" and expect.reason in (None, decision.reason):
        return None
    return f"expected {_expected(expect)}, got {_deny(decision)}"


def nearest_miss(explanation: Explanation) -> str:
    """Say which allow policy came nearest to a token that none let in, and what it missed by."""
    nearest = next((each for each in explanation.candidates if each.allows), None)
    if nearest is None or not is_near(nearest):
        return f"no allow policy of issuer `{explanation.case.issuer.name}` comes near"
    misses = [condition_text(result) for result in nearest.failing]
    if nearest.expired:
        misses.append("it has expired")
    if nearest.other_account:
        misses.append("another service account was asked for")
    return (
        f"nearest is policy `{nearest.policy.name}` ({nearest.policy.place}), {'; '.join(misses)}"
    )


def is_near(candidate: Candidate) -> bool:
    """Tell whether a token misses a policy by one thing at most, or is of its tenant."""
    return candidate.obstacles <= 1 or any(
        result.holds for result in candidate.conditions if result.tenant
    )


def _expected(expect: Expectation) -> str:
    if expect.decision == "deny":
        return "deny" if expect.reason is None else f"deny {expect.reason}"
    parts = ["permit"]
    if expect.service_account is not None:
        parts.append(f"as `{expect.service_account}`")
    if expect.scopes is not None:
        parts.append(_scopes(expect.scopes))
    if expect.ttl is not None:
        parts.append(f"for {duration_text(expect.ttl)}")
    return " ".join(parts)


def _differences(expect: Expectation, permit: Permit) -> Iterator[str]:
    account = permit.service_account.client_id
    if expect.service_account not in (None, account):
        yield f"service account `{account}`"
    if expect.scopes not in (None, frozenset(permit.scopes)):
        yield _scopes(permit.scopes).removeprefix("with ")
    if expect.ttl not in (None, permit.ttl):
        yield f"a lifetime of {duration_text(permit.ttl)}"


def _permit(permit: Permit) -> str:
    return (
        f"permit as `{permit.service_account.client_id}` {_scopes(permit.scopes)}"
        f" at `{permit.service.name}`, by {_policies(permit.policies)}"
    )


def _deny(deny: Deny) -> str:
    text = f"deny {deny.reason}"
    if deny.detail:
        text += f" ({deny.detail})"
    if deny.service_accounts:
        text += f" ({', '.join(f'`{name}`' for name in deny.service_accounts)})"
    return f"{text}, by {_policies(deny.policies)}" if deny.policies else text


def _scopes(scopes: frozenset[str] | tuple[str, ...]) -> str:
    if not scopes:
        return "with no scopes"
    return f"with {'scope' if len(scopes) == 1 else 'scopes'} {' '.join(sorted(scopes))}"


def _policies(names: tuple[str, ...]) -> str:
    listed = ", ".join(f"`{name}`" for name in names)
    return f"{'policy' if len(names) == 1 else 'policies'} {listed}"
