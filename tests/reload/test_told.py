"""What one worker tells another of policies arrives as it was meant, through JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.errors import Problem, Reason, Unavailable
from broker.core.policy_changes import PolicyChanges
from broker.ports import PolicyFault, Rejected, Reloaded, ReloadOutcome, Unchanged
from broker.reload import told

PROBLEMS = st.lists(
    st.builds(Problem, st.text(), st.integers(0, 99), st.integers(0, 99), st.text()), max_size=3
).map(tuple)
CHANGES = st.builds(
    PolicyChanges,
    st.text(),
    st.text(),
    st.dictionaries(st.text(), st.dictionaries(st.text(), st.integers(0, 99))),
    st.lists(st.text()).map(tuple),
    st.booleans(),
)
OUTCOMES = st.one_of(
    st.builds(Reloaded, CHANGES),
    st.builds(Unchanged, st.text()),
    st.builds(Rejected, st.text(), PROBLEMS, st.integers(0, 999)),
)


@given(OUTCOMES)
def test_an_outcome_arrives_as_it_is(outcome: ReloadOutcome) -> None:
    assert told.outcome_from(json.loads(json.dumps(told.outcome_members(outcome)))) == outcome


@given(st.none() | st.builds(PolicyFault, st.floats(0, 1e10), PROBLEMS, st.integers(0, 999)))
def test_a_fault_arrives_as_it_is(fault: PolicyFault | None) -> None:
    assert told.fault_from(json.loads(json.dumps(told.fault_members(fault)))) == fault


def test_a_store_that_is_away_is_so_for_who_asked() -> None:
    members = told.outcome_members(Unavailable(Reason.STORE_UNAVAILABLE, "away"))

    with pytest.raises(Unavailable, match="away"):
        told.outcome_from(members)
