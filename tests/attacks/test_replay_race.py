"""Row 44: many copies of one token at the same moment, to slip between check and use."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import httpx
import pytest

from broker.core.vocabulary import GRANT_JWT_BEARER, GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from broker.testing import gitlab_claims
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import verified

COPIES = 50
FORM, JSON = "/oauth/token", "/api/v1/auth/token"


def token_exchange(token: str, audience: str = "deploy-api") -> dict[str, str]:
    return {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": token,
        "subject_token_type": TOKEN_TYPE_JWT,
        "audience": audience,
    }


def jwt_bearer(token: str) -> dict[str, str]:
    return {"grant_type": GRANT_JWT_BEARER, "assertion": token, "audience": "deploy-api"}


async def at_once(
    broker: RunningBroker, requests: Sequence[tuple[str, dict[str, str]]]
) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=COPIES)
    async with httpx.AsyncClient(
        base_url=broker.url, limits=limits, trust_env=False, timeout=60
    ) as client:
        sent = (
            client.post(path, json=request) if path == JSON else client.post(path, data=request)
            for path, request in requests
        )
        return await asyncio.gather(*sent)


def assert_one_wins(broker: RunningBroker, answers: Sequence[httpx.Response]) -> None:
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: COPIES - 1}
    for answer in answers:
        if answer.status_code == 200:
            verified(broker, answer)
        else:
            assert answer.json()["reason"] == "token_already_used"
    assert_refused(
        broker, next(each for each in answers if not each.is_success), "token_already_used"
    )


@pytest.mark.parametrize("path", [FORM, JSON])
async def test_one_of_fifty_copies_wins(live_broker: RunningBroker, path: str) -> None:
    form = token_exchange(live_broker.github_token())
    minted = live_broker.minted()

    answers = await at_once(live_broker, [(path, form)] * COPIES)

    assert_one_wins(live_broker, answers)
    assert live_broker.minted() == minted + 1


async def test_grants_and_endpoints_race_for_the_same_token(live_broker: RunningBroker) -> None:
    token = live_broker.github_token()
    minted = live_broker.minted()
    ways = [
        (path, request)
        for path in (FORM, JSON)
        for request in (token_exchange(token), jwt_bearer(token))
    ]

    answers = await at_once(live_broker, (ways * COPIES)[:COPIES])

    assert_one_wins(live_broker, answers)
    assert live_broker.minted() == minted + 1


async def test_two_spellings_of_a_service_race_for_the_same_token(
    live_broker: RunningBroker,
) -> None:
    token = live_broker.gitlab_corp.token(gitlab_claims(), audience=AUDIENCE)
    spellings = [
        (FORM, token_exchange(token)),
        (FORM, token_exchange(token, "https://deploy.example.com")),
    ]

    answers = await at_once(live_broker, spellings * (COPIES // 2))

    assert_one_wins(live_broker, answers)
