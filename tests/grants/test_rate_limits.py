"""What an exchange asks of the limits, and when."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.decision import DecisionRequest
from broker.core.errors import RateLimited, Reason, Refusal, RequestRefused, Unavailable
from broker.core.limits import Rate
from broker.core.policy import Issuer
from broker.grants.explanation import ExchangeExplanation
from broker.grants.limit_sharing import LimitSharing
from broker.grants.rate_limits import RateLimits
from broker.grants.request import Caller, ExchangeRequest
from tests.core.builders import BROKER, NOW
from tests.grants.exchange import Exchange
from tests.grants.limiting import Limiting
from tests.grants.ports_in_memory import FollowedState, InMemoryCounts

ONE = Rate(1, 60)
TWO = Rate(2, 60)
REFUSED = RequestRefused(Reason.MALFORMED_REQUEST, "no")


def under(exchange: Exchange, **rates: Any) -> Exchange:
    sharing = LimitSharing(InMemoryCounts(), exchange.clock)
    limits = RateLimits(sharing, exchange.counts, **rates)
    return replace(exchange, grant=replace(exchange.grant, limits=limits))


async def ask(exchange: Exchange, token: str, address: str = "192.0.2.7", **wanted: Any) -> str:
    """Exchange a token from an address, with a caller of its own; give what became of it."""
    asked = DecisionRequest(**{"targets": ("deploy-api",), **wanted})
    try:
        await exchange.grant.exchange(ExchangeRequest(token, asked, Caller("r", address)))
    except Refusal as refusal:
        return refusal.reason if refusal.decision_id else "without a record"
    return "granted"


async def test_an_account_is_served_as_often_as_its_limit_says(exchange: Exchange) -> None:
    limited = under(exchange, client=TWO)

    told = [await ask(limited, exchange.token(jti=str(each))) for each in range(4)]
    exchange.clock.advance(60)

    assert told == ["granted", "granted", "rate_limited", "rate_limited"]
    assert await ask(limited, exchange.token(jti="later")) == "granted"
    # What the limit refused is counted; it spends nothing.
    assert [event.type for event in exchange.ledger.events] == ["token.exchanged"] * 3
    assert [(each.reason, each.count) for each in exchange.counts.take_all()] == [
        (Reason.RATE_LIMITED, 2)
    ]


async def test_what_the_limit_refused_may_be_exchanged_later(exchange: Exchange) -> None:
    limited = under(exchange, client=ONE)
    first, second = exchange.token(jti="1"), exchange.token(jti="2")
    assert [await ask(limited, each) for each in (first, second)] == ["granted", "rate_limited"]

    exchange.clock.advance(60)

    assert await ask(limited, second) == "granted"


async def test_bad_tokens_of_an_address_never_stop_a_good_one(exchange: Exchange) -> None:
    limited = under(exchange, failed=TWO)

    told = [await ask(limited, "no token") for _ in range(4)]

    assert told == ["malformed_token", "malformed_token", "rate_limited", "rate_limited"]
    assert await ask(limited, exchange.token()) == "granted"
    assert await ask(limited, "no token", "192.0.2.8") == "malformed_token"


async def test_refusals_of_one_tenant_are_apart_from_those_of_another(exchange: Exchange) -> None:
    limited = under(exchange, failed=ONE)
    mine = {"repository": "acme/other"}
    yours = mine | {"repository_id": "7"}

    told = [
        await ask(limited, exchange.token(**claims), address)
        for claims, address in (
            (mine, "192.0.2.1"), (mine, "192.0.2.2"), (yours, "192.0.2.1"), (yours, "192.0.2.1"),
        )
    ]  # fmt: skip

    assert told == ["no_policy_matched", "rate_limited", "no_policy_matched", "rate_limited"]
    assert await ask(limited, exchange.token()) == "granted"
    # A refusal in the place of another leaves no event of its own.
    assert [event.reason for event in exchange.ledger.events if event.reason] == [
        Reason.NO_POLICY_MATCHED
    ] * 2


async def test_an_expired_token_counts_for_its_tenant(exchange: Exchange) -> None:
    limited = under(exchange, failed=ONE)
    token = exchange.token()
    exchange.clock.advance(3600)

    assert [await ask(limited, token) for _ in range(2)] == ["token_expired", "rate_limited"]


async def test_that_an_issuer_is_away_is_no_failure_of_the_caller(exchange: Exchange) -> None:
    limited = under(exchange, failed=ONE)
    exchange.issuer_keys.away = True
    token = exchange.token()

    assert {await ask(limited, token) for _ in range(3)} == {"issuer_unavailable"}


async def test_a_decision_made_anew_counts_once(exchange: Exchange) -> None:
    limited = under(exchange, client=ONE, failed=ONE)
    assert isinstance(exchange.grant.state, FollowedState)

    exchange.ledger.epoch += 1
    assert await ask(limited, exchange.token()) == "granted"
    exchange.ledger.epoch += 1
    assert await ask(limited, exchange.token(repository="acme/other")) == "no_policy_matched"


async def test_to_explain_counts_for_the_workload(exchange: Exchange) -> None:
    explanation = ExchangeExplanation(under(exchange, client=TWO).grant)

    async def explain(**claims: Any) -> str:
        asked = DecisionRequest(targets=("deploy-api",))
        request = ExchangeRequest(exchange.token(**claims), asked, Caller("r", "192.0.2.7"))
        try:
            return str((await explanation.explain(request))["decision"])
        except RateLimited as limited:
            return limited.reason

    mine = [await explain(repository=each) for each in ("acme/other", "acme/web", "acme/third")]

    assert mine == ["deny", "permit", "rate_limited"]
    assert await explain(repository="acme/other", repository_id="7") == "deny"


@pytest.fixture
def limiting() -> Limiting:
    return Limiting()


async def told(work: Any) -> RateLimited | None:
    try:
        waiting = work()
        if waiting is not None:
            await waiting
    except RateLimited as limited:
        return limited
    return None


async def test_without_limits_nothing_is_counted(limiting: Limiting) -> None:
    limits, _ = limiting.process()
    caller = Caller("r", "192.0.2.1")
    issuer = Issuer("corp", "https://issuer.example", frozenset({BROKER}))

    assert limits.ask_address(caller, NOW) is None
    assert limits.ask_client(caller, "a", NOW) is None
    assert limits.ask_workload(caller, issuer, {}, NOW) is None
    await limits.failed_before_signature(REFUSED, caller, NOW)
    await limits.failed_token(caller, issuer, {}, NOW)
    await limits.failed_account(caller, "a", NOW)
    assert caller.counted == set()


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        (None, None, True),
    ],
)
async def test_an_address_is_an_ipv4_address_or_an_ipv6_network(
    limiting: Limiting, first: str | None, second: str | None, is_one: bool
) -> None:
    limits, _ = limiting.process(address=ONE)

    assert await told(lambda: limits.ask_address(Caller("r", first), NOW)) is None
    again = await told(lambda: limits.ask_address(Caller("r", second), NOW))
    assert (again is not None) is is_one


async def test_a_refusal_tells_when_to_try_again(limiting: Limiting) -> None:
    limits, _ = limiting.process(address=ONE)
    await told(lambda: limits.ask_address(Caller("r", "192.0.2.1"), NOW))

    refusal = await told(lambda: limits.ask_address(Caller("r", "192.0.2.1"), NOW + 12.5))

    assert refusal is not None
    assert refusal.retry_after == 48
    [event] = limiting.refusals.take_all()
    assert (event.id, event.reason, event.count) == (refusal.decision_id, "rate_limited", 1)


async def test_wrong_secrets_count_by_address_and_account(limiting: Limiting) -> None:
    limits, _ = limiting.process(failed=ONE)

    async def wrong(address: str, client_id: str) -> bool:
        caller = Caller("r", address)
        return await told(lambda: limits.failed_account(caller, client_id, NOW)) is not None

    assert [
        await wrong("192.0.2.1", "deploy"),
        await wrong("192.0.2.1", "deploy"),
        await wrong("192.0.2.2", "deploy"),
        await wrong("192.0.2.1", "other"),
    ] == [False, True, False, False]


async def test_a_request_fails_once(limiting: Limiting) -> None:
    limits, _ = limiting.process(failed=ONE)
    caller = Caller("r", "192.0.2.1")

    await limits.failed_account(caller, "deploy", NOW)
    await limits.failed_before_signature(REFUSED, caller, NOW)

    assert (
        await told(lambda: limits.failed_before_signature(REFUSED, Caller("s", "192.0.2.1"), NOW))
        is None
    )


async def test_a_refusal_by_a_limit_is_no_failure_and_neither_is_one_of_the_broker(
    limiting: Limiting,
) -> None:
    limits, _ = limiting.process(failed=ONE)
    for refusal in (
        Unavailable(Reason.STORE_UNAVAILABLE, "later"),
        RateLimited("later", retry_after=1),
    ):
        for _ in range(3):
            await limits.failed_before_signature(refusal, Caller("r", "192.0.2.1"), NOW)


async def test_a_tenant_is_named_by_the_first_claim_that_a_token_has(limiting: Limiting) -> None:
    limits, _ = limiting.process(failed=ONE)
    issuer = Issuer("corp", "https://x.example", frozenset({BROKER}), tenant=("unit", "team"))

    async def fails(**claims: object) -> bool:
        caller = Caller("r", "192.0.2.1")
        return await told(lambda: limits.failed_token(caller, issuer, claims, NOW)) is not None

    assert [
        await fails(unit="a", team="1"),
        await fails(unit="a", team="2"),
        await fails(team="1"),
        await fails(team="1"),
        # Without any, a token counts for its issuer.
        await fails(sub="a"),
        await fails(sub="b"),
    ] == [False, True, False, True, False, True]


async def test_within_the_allowance_a_failure_waits_for_nobody(limiting: Limiting) -> None:
    limits, _ = limiting.process(failed=Rate(600, 60))

    await limits.failed_before_signature(REFUSED, Caller("r", "192.0.2.1"), NOW)

    assert limiting.counts.shared == 0
