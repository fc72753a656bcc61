"""The path of one exchange: what it answers, what it writes, and what it leaves alone."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.conditions import Glob
from broker.core.errors import (
    DecisionRefused,
    Reason,
    Refusal,
    SubjectTokenRefused,
    Unavailable,
)
from broker.core.policy import Mode, Replay
from broker.core.signing_keys import SigningKeySet
from tests.core.builders import (
    BROKER,
    LEEWAY,
    NOW,
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    an_issuer,
)
from tests.grants.exchange import Exchange

SERVICE = replace(a_service(), signing_alg="ES256")


async def refusal_of(exchange: Exchange, token: str, **wanted: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await exchange.of(token, **wanted)
    return caught.value


async def test_a_permitted_token_buys_a_service_token(exchange: Exchange) -> None:
    issued = await exchange.of(exchange.token(), scopes=("deploy:read",), expires_in=120)

    claims = exchange.read(issued)
    assert issued.expires_in == 120
    assert issued.scope == "deploy:read"
    assert issued.service_account == "deploy-web"
    assert claims["iss"] == BROKER
    assert claims["sub"] == "deploy-web"
    assert claims["scope"] == "deploy:read"
    assert claims["jti"] == issued.token_id
    assert claims["exp"] - claims["iat"] == 120
    assert claims["act"] == {
        "iss": "https://token.actions.githubusercontent.com",
        "sub": "repo:acme/web:ref:refs/heads/main",
    }
    assert claims["workload"]["repository_id"] == "456789"


async def test_a_service_without_scopes_gives_a_token_without_scope(exchange: Exchange) -> None:
    service = replace(SERVICE, scopes={})
    account = an_account(grants={"deploy-api": []})
    exchange.under(a_policy_set(a_policy(), services=[service], accounts=[account]))

    issued = await exchange.of(exchange.token())

    assert issued.scope is None
    assert "scope" not in exchange.read(issued)


async def test_a_permit_is_recorded_with_all_that_was_granted(exchange: Exchange) -> None:
    exchange.issuer_keys.seconds = 0.25

    issued = await exchange.of(exchange.token(), client_id="deploy-web")

    (event,) = exchange.ledger.events
    assert (event.type, event.outcome, event.reason) == ("token.exchanged", "success", None)
    assert (event.time, event.duration_ms) == (NOW, 250.0)
    assert (event.request_id, event.client_address) == ("request-1", "192.0.2.7")
    assert (event.issuer, event.platform) == ("github", "github")
    assert event.subject == "repo:acme/web:ref:refs/heads/main"
    assert event.claims is not None
    assert event.claims["repository_id"] == "456789"
    assert (event.service_account, event.sub) == ("deploy-web", "deploy-web")
    assert event.policies == ("web",)
    assert event.requested == {
        "audience": ["deploy-api"],
        "scope": None,
        "client_id": "deploy-web",
        "expires_in": None,
    }
    assert event.audience == "https://deploy-api.example"
    assert event.scopes == ("deploy:read", "deploy:write")
    assert event.ttl == issued.expires_in == 600
    assert event.token_id == issued.token_id != event.id
    assert event.subject_token_id is not None
    assert event.policy_set == "0" * 64


async def test_the_record_of_an_issuer_without_preset_names_no_platform(exchange: Exchange) -> None:
    issuer = an_issuer("ci", url=exchange.platform.url, replay=Replay.REUSABLE)
    exchange.issuer_keys.held["ci"] = exchange.issuer_keys.held["github"]
    policy = a_policy(issuer="ci", match={"repository": "acme/web"})
    exchange.under(a_policy_set(policy, issuers=[issuer], services=[SERVICE]))

    issued = await exchange.of(exchange.token(jti=None))

    (event,) = exchange.ledger.events
    assert (event.issuer, event.platform, event.subject_token_id) == ("ci", None, None)
    assert "workload" not in exchange.read(issued)


async def test_a_clock_that_is_set_back_meanwhile_makes_no_negative_duration(
    exchange: Exchange,
) -> None:
    exchange.issuer_keys.seconds = -3.0

    await exchange.of(exchange.token())

    assert exchange.ledger.events[0].duration_ms == 0.0


async def test_a_token_of_unknown_origin_is_counted_not_recorded(exchange: Exchange) -> None:
    refusal = await refusal_of(exchange, "no token at all")
    again = await refusal_of(exchange, "no token either")

    assert refusal.reason is Reason.MALFORMED_TOKEN
    assert exchange.ledger.events == []
    assert exchange.issuer_keys.asked == []
    (event,) = exchange.counts.take_all()
    assert (event.id, event.count) == (refusal.decision_id, 2)
    assert again.decision_id == refusal.decision_id
    assert event.client_address == "192.0.2.7"


async def test_no_keys_are_asked_for_of_an_issuer_that_is_not_trusted(exchange: Exchange) -> None:
    refusal = await refusal_of(exchange, exchange.token(iss="https://evil.example"))

    assert refusal.reason is Reason.ISSUER_NOT_TRUSTED
    assert exchange.issuer_keys.asked == []


async def test_a_forged_signature_is_counted_and_spends_nothing(exchange: Exchange) -> None:
    token = exchange.token()
    forged = token[: token.rindex(".")] + "." + "A" * 342

    refusal = await refusal_of(exchange, forged)

    assert refusal.reason is Reason.SIGNATURE_INVALID
    assert exchange.ledger.events == []
    await exchange.of(token)


async def test_an_issuer_that_is_away_is_an_error_to_try_again_later(exchange: Exchange) -> None:
    exchange.issuer_keys.away = True

    refusal = await refusal_of(exchange, exchange.token())

    assert isinstance(refusal, Unavailable)
    (event,) = exchange.counts.take_all()
    assert (event.id, event.outcome) == (refusal.decision_id, "error")
    assert event.reason == "issuer_unavailable"


async def test_a_token_that_does_not_count_now_is_recorded_with_its_claims(
    exchange: Exchange,
) -> None:
    token = exchange.token()
    exchange.clock.advance(300 + LEEWAY)

    refusal = await refusal_of(exchange, token)

    assert isinstance(refusal, SubjectTokenRefused)
    (event,) = exchange.ledger.events
    assert event.id == refusal.decision_id
    assert (event.type, event.outcome, event.reason) == (
        "token.refused",
        "refused",
        "token_expired",
    )
    assert event.claims is not None
    assert event.claims["repository"] == "acme/web"
    assert event.token_id is None


async def test_the_record_of_an_overlong_subject_is_bounded(exchange: Exchange) -> None:
    await refusal_of(exchange, exchange.token(sub="s" * 5000))
    await refusal_of(exchange, exchange.token(sub=7.5))

    assert [event.subject for event in exchange.ledger.events] == ["s" * 1024, None]


async def test_a_decision_against_a_token_is_recorded_and_spends_nothing(
    exchange: Exchange,
) -> None:
    token = exchange.token()

    refusal = await refusal_of(exchange, token, targets=("billing",))

    assert isinstance(refusal, DecisionRefused)
    (event,) = exchange.ledger.events
    assert (event.id, event.reason) == (refusal.decision_id, "target_unknown")
    assert exchange.ledger.spends == {}
    await exchange.of(token)


async def test_the_operator_sees_the_deny_that_a_stranger_does_not(exchange: Exchange) -> None:
    anybody = a_policy(match={"ref": "refs/heads/main"})
    deny = a_deny_policy("no-web", {"repository": Glob("acme/*")})
    exchange.under(a_policy_set(anybody, deny, services=[SERVICE]))

    refusal = await refusal_of(exchange, exchange.token())

    assert refusal.reason is Reason.NO_POLICY_MATCHED
    assert "no-web" not in refusal.description
    (event,) = exchange.ledger.events
    assert (event.reason, event.policies) == ("denied_by_policy", ("no-web",))


async def test_an_ambiguous_choice_is_handed_to_the_caller(exchange: Exchange) -> None:
    two = [an_account(), an_account("deploy-all")]
    policies = [a_policy(), a_policy("all", service_account="deploy-all")]
    exchange.under(a_policy_set(*policies, services=[SERVICE], accounts=two))

    refusal = await refusal_of(exchange, exchange.token())

    assert isinstance(refusal, DecisionRefused)
    assert refusal.service_accounts == ("deploy-all", "deploy-web")


async def test_a_single_use_token_is_remembered_beyond_its_acceptance(exchange: Exchange) -> None:
    token = exchange.token()
    first = await exchange.of(token)

    second = await refusal_of(exchange, token)

    assert second.reason is Reason.TOKEN_ALREADY_USED
    assert "single use" in second.description
    granted, spent = exchange.ledger.events
    assert (granted.token_id, spent.token_id) == (first.token_id, None)
    assert (spent.id, spent.reason) == (second.decision_id, "token_already_used")
    assert spent.type == "token.refused"
    (until,) = exchange.ledger.spends.values()
    assert until > NOW + 300 + LEEWAY


async def test_per_audience_counts_a_service_once_however_it_is_spelled(
    exchange: Exchange,
) -> None:
    issuer = an_issuer("github", replay=Replay.PER_AUDIENCE)
    other = replace(SERVICE, name="artifacts", audience="https://artifacts.example")
    account = an_account(grants={"deploy-api": [], "artifacts": []})
    exchange.under(
        a_policy_set(a_policy(), issuers=[issuer], services=[SERVICE, other], accounts=[account])
    )
    token = exchange.token()
    await exchange.of(token)

    by_uri = await refusal_of(exchange, token, targets=("https://deploy-api.example",))
    await exchange.of(token, targets=("artifacts",))

    assert by_uri.reason is Reason.TOKEN_ALREADY_USED
    assert "per audience" in by_uri.description


async def test_a_reusable_token_is_never_spent(exchange: Exchange) -> None:
    issuer = an_issuer("github", replay=Replay.REUSABLE)
    exchange.under(a_policy_set(a_policy(), issuers=[issuer], services=[SERVICE]))
    token = exchange.token()

    await exchange.of(token)
    await exchange.of(token)

    assert exchange.ledger.spends == {}
    assert [event.outcome for event in exchange.ledger.events] == ["success", "success"]


@pytest.mark.parametrize("what", ["a permit", "a deny", "an expired token"])
async def test_nothing_is_answered_that_is_not_on_record(exchange: Exchange, what: str) -> None:
    token = exchange.token(event_name="pull_request" if what == "a deny" else "push")
    if what == "an expired token":
        exchange.clock.advance(3600)
    exchange.ledger.in_trouble = True

    refusal = await refusal_of(exchange, token)

    assert isinstance(refusal, Unavailable)
    assert refusal.reason is Reason.STORE_UNAVAILABLE
    assert refusal.decision_id is None
    assert exchange.ledger.events == []


async def test_a_token_is_not_spent_when_no_key_can_sign(exchange: Exchange) -> None:
    signs, exchange.signing_keys.held = exchange.signing_keys.held, SigningKeySet(())
    token = exchange.token()

    refusal = await refusal_of(exchange, token)

    assert isinstance(refusal, Unavailable)
    assert exchange.ledger.events == []
    exchange.signing_keys.held = signs
    await exchange.of(token)


async def test_neither_the_request_nor_the_answer_shows_its_token(exchange: Exchange) -> None:
    token = exchange.token()

    issued = await exchange.of(token)

    assert issued.access_token not in repr(issued)


async def test_observed_policies_that_hold_are_recorded_and_decide_nothing(
    exchange: Exchange,
) -> None:
    watching = [
        a_policy("would-permit", {"repository_id": "456789"}, mode=Mode.OBSERVE),
        a_deny_policy("would-deny", {"ref": Glob("refs/heads/**")}, mode=Mode.OBSERVE),
        a_deny_policy("tags", {"ref": Glob("refs/tags/**")}, mode=Mode.OBSERVE),
    ]
    exchange.under(a_policy_set(a_policy("web"), *watching, services=[SERVICE]))
    await exchange.of(exchange.token())
    exchange.under(a_policy_set(*watching, services=[SERVICE]))
    await refusal_of(exchange, exchange.token(jti="another"))

    permitted, refused = exchange.ledger.events
    assert (permitted.policies, refused.policies) == (("web",), ())
    assert permitted.observed == refused.observed == ("would-deny", "would-permit")
    assert permitted.members()["observed"] == ["would-deny", "would-permit"]
