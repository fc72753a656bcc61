"""What an event of an export has to hold, so that it can be decided once more."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.audit import AuditEvent
from broker.core.indexed_policies import IndexedPolicies
from broker.core.simulation.past_decision import EventRefused, PassedOver, past_decision
from broker.core.simulation.simulation import Simulation
from tests.core.builders import a_policy
from tests.core.simulation.recording import now, recorded, simulated, then

EVENT = recorded(then(a_policy("web", {"repository": "acme/web"})))
PROJECT = a_policy("project", {"project_path": "acme/platform/web"}, issuer="gitlab")
OF_GITLAB = recorded(then(PROJECT), issuer="gitlab")
DECIDING = Simulation(IndexedPolicies.of(now(a_policy("web"), PROJECT)))
MEMBERS = sorted(AuditEvent(id="", time=0.0, type="", outcome="").members())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"type": 7}, "`type` is no text"),
        ({"id": None}, "`id` is no text"),
        ({"time": "yesterday"}, "`time` is no time"),
        ({"time": None}, "`time` is no time"),
        ({"time": "2026-11-26T12:00:00"}, "`time` is no time with its offset from UTC"),
        ({"reason": 7}, "`reason` is no text"),
        ({"policies": "web"}, "`policies` is no list of texts"),
        ({"policies": [7]}, "`policies` is no list of texts"),
        ({"claims": None}, "`claims` is no object"),
        ({"claims": ["x"]}, "`claims` is no object"),
        ({"claims": {}}, "`claims.iss` is no text"),
        ({"requested": None}, "`requested` is no object"),
        ({"requested": {"audience": "x"}}, "`requested.audience` is no list of texts"),
        ({"requested": {"audience": [7]}}, "`requested.audience` is no list of texts"),
        ({"requested": {"scope": 7}}, "`requested.scope` or `requested.client_id` is no text"),
        ({"requested": {"client_id": 7}}, "`requested.scope` or `requested.client_id` is no text"),
        ({"requested": {"expires_in": "x"}}, "`requested.expires_in` is no number of seconds"),
        ({"requested": {"expires_in": True}}, "`requested.expires_in` is no number of seconds"),
        ({"type": "token.refused"}, "`reason` is no text"),
        ({"scopes": None}, "`scopes` is no list of texts"),
        ({"scopes": [None]}, "`scopes` is no list of texts"),
        ({"ttl": "600"}, "`ttl` is no number of seconds"),
        ({"ttl": True}, "`ttl` is no number of seconds"),
        ({"sub": None}, "`sub` is no text"),
        ({"issuer": None, "service_account": None}, "`service_account` is no text"),
    ],
)
def test_an_event_that_holds_something_else_is_refused(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(EventRefused) as refused:
        simulated(now(), EVENT | changes)

    assert str(refused.value) == fault


@given(member=st.sampled_from(MEMBERS), value=JSON)
def test_whatever_an_event_holds_it_is_decided_or_refused(member: str, value: Any) -> None:
    with suppress(EventRefused):
        DECIDING.take(EVENT | {member: value})


@given(claim=st.sampled_from(["exp", "iat", "aud", "ref", "project_path"]), value=JSON)
def test_whatever_a_claim_is_the_event_is_decided(claim: str, value: Any) -> None:
    DECIDING.take(OF_GITLAB | {"claims": OF_GITLAB["claims"] | {claim: value}})


def test_an_administrative_event_needs_nothing_of_a_decision() -> None:
    assert past_decision({"type": "key.rotated"}) is PassedOver.OTHER
