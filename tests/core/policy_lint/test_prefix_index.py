"""Which policies an index leaves to compare: never too few, and few where values differ."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from broker.core.conditions import Condition, Glob, Not, Present, Regex
from broker.core.policy_lint.matcher_relations import can_both_hold, implies
from broker.core.policy_lint.prefix_index import MAX_COMPARED, PrefixIndex
from tests.core.builders import a_matcher

SINGLES = st.one_of(
    st.sampled_from(["a", "B", "b", "ab", "abc"]),
    st.sampled_from(["*", "a*", "ab*", "ab*c", "a?", "B*"]).map(Glob),
    st.just(Regex("a.*")),
)
VALUES = st.one_of(
    SINGLES, st.lists(SINGLES, min_size=1, max_size=2), st.just(Present()), st.just(Not(Glob("a*")))
)
POLICIES = st.lists(
    st.dictionaries(st.sampled_from(["x", "y", "z"]), VALUES, max_size=3), max_size=8
)


def policy(match: dict[str, Any]) -> dict[str, Condition]:
    return {claim: Condition(claim, a_matcher(value)) for claim, value in match.items()}


@given(POLICIES)
def test_no_policy_is_left_out_that_may_hold_together_with_another(
    matches: list[dict[str, Any]],
) -> None:
    policies = [policy(match) for match in matches]
    index = PrefixIndex(policies)

    for place, one in enumerate(policies):
        expected = {
            place + 1 + behind
            for behind, other in enumerate(policies[place + 1 :])
            if all(can_both_hold(one[c], other[c]) is not False for c in one.keys() & other.keys())
        }
        assert expected <= set(index.compatible_after(place, one))


@given(POLICIES)
def test_no_policy_is_left_out_that_another_implies(matches: list[dict[str, Any]]) -> None:
    policies = [policy(match) for match in matches]
    index = PrefixIndex(policies)

    for one in policies:
        expected = {
            place
            for place, other in enumerate(policies)
            if all(c in one and implies(one[c], other[c]) for c in other)
        }
        assert expected <= set(index.implied(one))


def test_of_10_000_repositories_of_one_owner_none_is_compared_with_another() -> None:
    policies = [
        policy({"repository_owner_id": 7, "repository_id": number, "event_name": ["push", "web"]})
        for number in range(10_000)
    ]
    index = PrefixIndex(policies)

    compared = [list(index.compatible_after(place, one)) for place, one in enumerate(policies)]

    assert not any(compared)
    assert all(list(index.implied(one)) == [place] for place, one in enumerate(policies))


def test_globs_that_begin_differently_are_not_compared() -> None:
    policies = [policy({"ref": Glob(f"refs/heads/team-{n}/*")}) for n in range(100, 200)]
    index = PrefixIndex(policies)

    assert not any(list(index.compatible_after(place, one)) for place, one in enumerate(policies))
    assert list(index.compatible_after(0, policy({"ref": "refs/heads/team-150/x"}))) == [50]
    assert list(index.compatible_after(49, policy({"ref": Glob("refs/heads/team-1**")}))) == list(
        range(50, 100)
    )


def test_one_policy_is_compared_with_no_more_than_the_first_ones() -> None:
    same = policy({"ref": "refs/heads/main"})
    index = PrefixIndex([same] * (3 * MAX_COMPARED))

    assert list(index.compatible_after(9, same)) == list(range(10, 10 + MAX_COMPARED))
    assert list(index.implied(same)) == list(range(MAX_COMPARED))


def test_a_policy_that_asks_for_more_is_not_implied() -> None:
    index = PrefixIndex([policy({"x": "a", "y": "b"}), policy({"x": "a"}), policy({})])

    assert list(index.implied(policy({"x": "a"}))) == [1, 2]
