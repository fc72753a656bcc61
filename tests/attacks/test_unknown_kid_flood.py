"""Attacks row 28: a flood of key ids that nobody published (GHSA-fhv5-28vv-h8m8)."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.attacks.compact_tokens import with_header
from tests.attacks.hostile_issuers import HostileIssuer, HostileIssuers
from tests.attacks.key_publisher import Answer
from tests.attacks.refusals import assert_refused

FLOOD = 1_000
COOLDOWN = 30


def flood(issuer: HostileIssuer, count: int, *, at_once: int = 8) -> list[httpx.Response]:
    """Present tokens with fresh key ids, several at a time; their signatures need not hold."""
    token = issuer.token()
    tokens = [with_header(token, {"kid": f"unheard-of-{number}"}) for number in range(count)]
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(issuer.broker.exchange, tokens))


def reasons(responses: list[httpx.Response]) -> set[str]:
    return {response.json()["reason"] for response in responses}


@pytest.fixture
def issuer(hostile_issuers: HostileIssuers) -> HostileIssuer:
    """An issuer that publishes well, and that nobody has asked yet."""
    issuer = hostile_issuers.fresh()
    issuer.publish_well()
    return issuer


def test_a_thousand_unknown_key_ids_cause_one_fetch(issuer: HostileIssuer) -> None:
    assert issuer.broker.exchange(issuer.token()).status_code == 200
    assert len(issuer.requests()) == 1
    # What other tests caused is written, and counts no more.
    issuer.broker.events()

    responses = flood(issuer, FLOOD)

    assert reasons(responses) == {"key_not_found"}
    assert len(issuer.requests()) == 2
    event = assert_refused(issuer.broker, responses[-1], "key_not_found")
    # One record for all of them: a flood does not fill the disk either.
    assert event["count"] == FLOOD
    # Whoever has a good token is served on.
    assert issuer.broker.exchange(issuer.token()).status_code == 200


def test_a_flood_at_a_cold_start_causes_two_fetches_at_most(issuer: HostileIssuer) -> None:
    responses = flood(issuer, 100, at_once=32)

    assert reasons(responses) == {"key_not_found"}
    assert len(issuer.requests()) <= 2
    assert issuer.broker.exchange(issuer.token()).status_code == 200
    assert len(issuer.requests()) <= 2


def test_every_thirty_seconds_one_unknown_key_id_may_cause_a_fetch(
    issuers_over_time: HostileIssuers,
) -> None:
    issuer = issuers_over_time.fresh()
    issuer.publish_well()
    assert issuer.broker.exchange(issuer.token()).status_code == 200

    fetches = []
    for seconds in (0, COOLDOWN - 1, 1, COOLDOWN - 1, 1):
        issuer.broker.clock.advance(seconds)
        flood(issuer, 5)
        fetches.append(len(issuer.requests()))

    assert fetches == [2, 2, 3, 3, 4]


@pytest.mark.parametrize("status", [500, 404])
def test_a_flood_while_the_issuer_is_away_does_not_add_to_its_trouble(
    issuer: HostileIssuer, status: int
) -> None:
    issuer.publish(Answer(b"{}", status=status))

    responses = flood(issuer, 50)

    assert reasons(responses) == {"issuer_unavailable"}
    assert_refused(issuer.broker, responses[-1], "issuer_unavailable")
    assert len(issuer.requests()) == 1


def test_a_flood_on_one_issuer_does_not_touch_another(
    hostile_issuers: HostileIssuers, issuer: HostileIssuer
) -> None:
    other = hostile_issuers.fresh()
    other.publish_well()

    flood(issuer, 20)

    assert other.requests() == []
    assert other.broker.exchange(other.token()).status_code == 200


def test_unsound_tokens_cause_no_fetch_at_all(issuer: HostileIssuer) -> None:
    unsound = [
        issuer.token(header={"kid": "unheard-of", "typ": "at+jwt"}),
        issuer.token(header={"kid": "unheard-of", "alg": "HS256"}),
        issuer.token(header={"kid": "unheard-of", "alg": "ES384"}),
        issuer.token(header={"kid": "unheard-of", "jku": "https://evil.example"}),
        issuer.token(header={"kid": "unheard of"}),
        issuer.token(exp="tomorrow"),
        issuer.token(iss=issuer.url + "/"),
        issuer.token() + "=",
    ]

    for token in unsound:
        assert issuer.broker.exchange(token).status_code == 400

    assert issuer.requests() == []


def test_requests_that_come_together_are_all_answered_by_one_fetch(issuer: HostileIssuer) -> None:
    tokens = [issuer.token() for _ in range(12)]

    with ThreadPoolExecutor(len(tokens)) as pool:
        responses = list(pool.map(issuer.broker.exchange, tokens))

    assert [response.status_code for response in responses] == [200] * len(tokens)
    assert len(issuer.requests()) == 1
