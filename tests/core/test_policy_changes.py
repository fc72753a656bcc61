"""What a reload would change, and what it may not do unasked (attacks row 168)."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.policy import Mode, Policy, PolicySet
from broker.core.policy_changes import PolicyChanges, compare, objection
from broker.core.steps import finish
from tests.core.builders import NOW, a_deny_policy, a_policy, a_policy_set, a_service, an_account


def changes(old: PolicySet, new: PolicySet) -> PolicyChanges:
    return finish(compare(old, new, NOW))


def test_the_same_set_changes_nothing() -> None:
    a_set = a_policy_set(a_policy(), a_deny_policy())

    found = changes(a_set, a_set)

    assert all(set(count.values()) == {0} for count in found.counts.values())
    assert objection(found) is None


def test_entries_are_counted_by_what_happened_to_them() -> None:
    old = a_policy_set(a_policy("stays"), a_policy("goes"), a_policy("changes"))
    new = a_policy_set(
        a_policy("stays", place="moved.yaml:7"),
        a_policy("changes", ttl=60),
        a_policy("comes"),
        a_policy("comes too"),
        services=[a_service(ttl=60)],
        accounts=[an_account(), an_account("more")],
    )

    counts = changes(old, new).counts
    assert counts["policies"] == {"added": 2, "removed": 1, "changed": 1}
    assert counts["services"] == {"added": 0, "removed": 0, "changed": 1}
    assert counts["service_accounts"] == {"added": 1, "removed": 0, "changed": 0}
    assert counts["issuers"] == {"added": 0, "removed": 0, "changed": 0}


def test_a_deny_policy_that_is_gone_is_named() -> None:
    old = a_policy_set(a_policy(), a_deny_policy("no-forks"), a_deny_policy("no-tags", {"x": "y"}))

    found = changes(old, a_policy_set(a_policy(), a_deny_policy("no-tags", {"x": "y"})))

    assert found.dropped_denies == ("no-forks",)
    assert "deny policies would be gone: `no-forks`;" in (objection(found) or "")


@pytest.mark.parametrize(
    "successor",
    [
        a_deny_policy("no-forks", mode=Mode.OBSERVE),
        a_deny_policy("no-forks", expires_at=NOW - 1),
        a_policy("no-forks"),
        a_deny_policy("renamed", {"event_name": "push"}),
        a_deny_policy("renamed", services=frozenset({"deploy-api"})),
        a_deny_policy("renamed", issuer="gitlab"),
        a_deny_policy("renamed", mode=Mode.OBSERVE),
    ],
)
def test_a_successor_that_denies_less_is_none(successor: Policy) -> None:
    old = a_policy_set(a_policy(), a_deny_policy("no-forks"))
    new = a_policy_set(a_policy(), successor)

    assert changes(old, new).dropped_denies == ("no-forks",)


@pytest.mark.parametrize(
    "successor",
    [
        a_deny_policy("no-forks", {"event_name": "push"}),
        a_deny_policy("no-forks", expires_at=NOW + 1),
        a_deny_policy("renamed", owner="sec", ticket="T-1", description="no forks", place="b:1"),
    ],
)
def test_a_deny_policy_may_be_edited_and_renamed(successor: Policy) -> None:
    old = a_policy_set(a_policy(), a_deny_policy("no-forks"))
    new = a_policy_set(a_policy(), successor)

    assert changes(old, new).dropped_denies == ()


@pytest.mark.parametrize("change", [{"mode": Mode.OBSERVE}, {"expires_at": NOW}])
def test_a_deny_policy_that_denies_nothing_may_go(change: dict[str, Any]) -> None:
    idle = replace(a_deny_policy("idle"), **change)

    assert changes(a_policy_set(a_policy(), idle), a_policy_set(a_policy())).dropped_denies == ()


def test_a_set_without_policies_is_empty_when_there_were_some() -> None:
    some, none = a_policy_set(a_policy()), a_policy_set()

    assert changes(some, none).empties
    assert "no policy is left" in (objection(changes(some, none)) or "")
    assert not changes(none, none).empties
    assert not changes(none, some).empties


def test_many_dropped_denies_are_told_in_bounds() -> None:
    denies = [a_deny_policy(f"deny-{number:02}", {"ref": str(number)}) for number in range(30)]
    found = changes(a_policy_set(a_policy(), *denies), a_policy_set(a_policy()))

    assert len(found.dropped_denies) == 30
    told = objection(found) or ""
    assert "`deny-00`" in told
    assert "`deny-10`" not in told
    assert "and 20 more" in told
