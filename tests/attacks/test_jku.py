"""Attacks row 6: a token that says where its key is to be fetched from (CVE-2026-48522)."""

import json

import pytest

from broker.testing import FakeIssuer
from tests.attacks.compact_tokens import octo_claims
from tests.attacks.hostile_issuers import key_of
from tests.attacks.key_publisher import Answer, KeyPublisher
from tests.attacks.outbound import watching_outside
from tests.attacks.presenting import Present
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, GITHUB, RunningBroker

ELSEWHERE = [
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "file:///etc/passwd",
    "ftp://127.0.0.1/keys",
    "data:application/json,{}",
    "//evil.example/keys",
    f"{GITHUB}/.well-known/jwks",
]


def pointing_to(broker: RunningBroker, member: str, url: str) -> str:
    """A token signed by the attacker whose header names a URL."""
    attackers = FakeIssuer(GITHUB, key=key_of("RS256", "attacker"))
    return broker.github.token(
        octo_claims(),
        audience=AUDIENCE,
        key=attackers.key,
        header={member: url, "kid": attackers.key_id},
    )


@pytest.fixture
def attackers_keys(attacker: KeyPublisher) -> str:
    """Where the attacker publishes a key that would verify the token."""
    keys = FakeIssuer(GITHUB, key=key_of("RS256", "attacker")).jwks()
    attacker.answers["/keys"] = Answer(json.dumps(keys).encode())
    return f"{attacker.url}/keys"


@pytest.mark.parametrize("member", ["jku", "x5u"])
def test_the_key_that_a_token_points_to_is_not_fetched(
    live_broker: RunningBroker, attacker: KeyPublisher, attackers_keys: str, member: str
) -> None:
    token = pointing_to(live_broker, member, attackers_keys)
    fetches = live_broker.fetches()

    with watching_outside(live_broker) as outside:
        response = live_broker.exchange(token)

    assert_refused(live_broker, response, "malformed_token")
    assert outside.contacted == []
    assert attacker.connections == 0
    assert live_broker.fetches() == fetches


@pytest.mark.parametrize("member", ["jku", "x5u"])
@pytest.mark.parametrize("url", ELSEWHERE)
def test_nothing_is_contacted_nor_opened_wherever_a_token_points_to(
    live_broker: RunningBroker, member: str, url: str
) -> None:
    token = pointing_to(live_broker, member, url)

    with watching_outside(live_broker) as outside:
        response = live_broker.exchange(token)

    assert_refused(live_broker, response, "malformed_token")
    assert outside.contacted == []
    assert "/etc/passwd" not in outside.opened


def test_a_token_may_point_nowhere_however_it_is_presented(
    live_broker: RunningBroker, present: Present, attacker: KeyPublisher, attackers_keys: str
) -> None:
    token = pointing_to(live_broker, "jku", attackers_keys)

    assert_refused(live_broker, present(live_broker, token), "malformed_token")
    assert attacker.connections == 0
