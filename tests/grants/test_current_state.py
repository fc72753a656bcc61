import pytest

from broker.core.decision import DecisionRequest
from broker.core.errors import DecisionRefused, Reason, Unavailable
from broker.grants.explanation import ExchangeExplanation
from broker.grants.request import ExchangeRequest
from tests.core.builders import a_policy_set
from tests.grants.exchange import CALLER, Exchange
from tests.grants.ports_in_memory import FollowedState


def state_of(exchange: Exchange) -> FollowedState:
    assert isinstance(exchange.grant.state, FollowedState)
    return exchange.grant.state


async def test_a_decision_that_was_overtaken_is_made_anew(exchange: Exchange) -> None:
    exchange.ledger.epoch = 2
    state = state_of(exchange)
    state.changes.append(lambda: exchange.under(a_policy_set()))

    with pytest.raises(DecisionRefused) as refused:
        await exchange.of(exchange.token())

    assert refused.value.reason is Reason.NO_POLICY_MATCHED
    [event] = exchange.ledger.events
    assert event.id == refused.value.decision_id
    assert exchange.ledger.spends == {}


async def test_a_refusal_that_was_overtaken_is_decided_anew(exchange: Exchange) -> None:
    permitting = exchange.policies.held
    exchange.under(a_policy_set())
    exchange.ledger.epoch = 2
    state_of(exchange).changes.append(lambda: setattr(exchange.policies, "held", permitting))

    issued = await exchange.of(exchange.token())

    assert issued.service_account == "deploy-web"
    assert [event.outcome for event in exchange.ledger.events] == ["success"]


async def test_a_token_refused_by_what_is_past_is_judged_anew(exchange: Exchange) -> None:
    token = exchange.token()
    exchange.clock.advance(3600)
    exchange.ledger.epoch = 2
    state_of(exchange).changes.append(lambda: exchange.clock.advance(-3600))

    assert (await exchange.of(token)).service_account == "deploy-web"


async def test_an_explanation_is_of_the_current_state_too(exchange: Exchange) -> None:
    exchange.ledger.epoch = 2
    state_of(exchange).changes.append(lambda: exchange.under(a_policy_set()))
    request = ExchangeRequest(exchange.token(), DecisionRequest(targets=("deploy-api",)), CALLER)

    explanation = await ExchangeExplanation(exchange.grant).explain(request)

    assert explanation["decision"] == "deny"
    assert [event.type for event in exchange.ledger.events] == ["token.explained"]


async def test_a_state_that_never_stands_still_is_an_outage(exchange: Exchange) -> None:
    exchange.ledger.epoch = 2
    state_of(exchange).behind = 1

    with pytest.raises(Unavailable) as refused:
        await exchange.of(exchange.token())

    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert exchange.ledger.events == []
