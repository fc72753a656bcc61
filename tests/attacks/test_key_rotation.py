"""Attacks rows 29 and 30: keys that come and keys that go."""

import pytest

from broker.testing.jws import PrivateKey
from tests.attacks.hostile_issuers import HostileIssuer, HostileIssuers, key_of
from tests.attacks.key_publisher import Answer, document
from tests.attacks.refusals import assert_refused

DAY = 24 * 3600
COOLDOWN = 30
FIRST, SECOND, THIRD = (key_of("ES256", name) for name in ("first", "second", "third"))


def publish(issuer: HostileIssuer, *keys: PrivateKey) -> None:
    issuer.publish(document(*(issuer.jwk(key=key, algorithm="ES256") for key in keys)))


def token(issuer: HostileIssuer, key: PrivateKey) -> str:
    return issuer.token(key=key, algorithm="ES256")


@pytest.fixture
def issuer(issuers_over_time: HostileIssuers) -> HostileIssuer:
    """An issuer whose first key is held."""
    issuer = issuers_over_time.fresh()
    publish(issuer, FIRST)
    assert issuer.broker.exchange(token(issuer, FIRST)).status_code == 200
    return issuer


def test_a_token_under_a_new_key_is_accepted_at_once(issuer: HostileIssuer) -> None:
    publish(issuer, FIRST, SECOND)

    assert issuer.broker.exchange(token(issuer, SECOND)).status_code == 200
    assert len(issuer.requests()) == 2


def test_a_second_rotation_within_the_cooldown_is_seen_after_it(issuer: HostileIssuer) -> None:
    publish(issuer, FIRST, SECOND)
    assert issuer.broker.exchange(token(issuer, SECOND)).status_code == 200
    publish(issuer, SECOND, THIRD)

    response = issuer.broker.exchange(token(issuer, THIRD))
    assert_refused(issuer.broker, response, "key_not_found")
    issuer.broker.clock.advance(COOLDOWN)
    assert issuer.broker.exchange(token(issuer, THIRD)).status_code == 200


def test_a_token_under_the_old_key_counts_while_it_is_published(issuer: HostileIssuer) -> None:
    publish(issuer, FIRST, SECOND)
    assert issuer.broker.exchange(token(issuer, SECOND)).status_code == 200

    assert issuer.broker.exchange(token(issuer, FIRST)).status_code == 200


def test_a_withdrawn_key_does_not_count_once_the_keys_were_fetched(issuer: HostileIssuer) -> None:
    publish(issuer, SECOND)
    assert issuer.broker.exchange(token(issuer, SECOND)).status_code == 200

    response = issuer.broker.exchange(token(issuer, FIRST))

    assert_refused(issuer.broker, response, "key_not_found")


def test_held_keys_serve_a_day_of_an_issuers_absence_and_no_longer(issuer: HostileIssuer) -> None:
    clock = issuer.broker.clock
    issuer.publish(Answer(b"{}", status=500))

    clock.advance(DAY - 1)
    assert issuer.broker.exchange(token(issuer, FIRST)).status_code == 200
    clock.advance(1)
    response = issuer.broker.exchange(token(issuer, FIRST))

    assert_refused(issuer.broker, response, "issuer_unavailable")


def test_an_issuer_that_is_back_is_trusted_again(issuer: HostileIssuer) -> None:
    issuer.publish(Answer(b"{}", status=500))
    issuer.broker.clock.advance(DAY)
    response = issuer.broker.exchange(token(issuer, FIRST))
    assert_refused(issuer.broker, response, "issuer_unavailable")

    publish(issuer, FIRST)
    issuer.broker.clock.advance(int(response.headers["retry-after"]))

    assert issuer.broker.exchange(token(issuer, FIRST)).status_code == 200


def test_a_key_that_was_held_for_too_long_does_not_outlive_its_withdrawal(
    issuer: HostileIssuer,
) -> None:
    publish(issuer, SECOND)
    issuer.broker.clock.advance(DAY)

    response = issuer.broker.exchange(token(issuer, FIRST))

    assert_refused(issuer.broker, response, "key_not_found")
