"""Attacks row 17: an `iss` that lures the broker into the network around it (CVE-2025-52477)."""

import json

import pytest

from broker.testing import FakeIssuer
from tests.attacks.compact_tokens import octo_claims
from tests.attacks.hostile_issuers import key_of
from tests.attacks.key_publisher import Answer, KeyPublisher
from tests.attacks.outbound import watching_outside
from tests.attacks.presenting import Present
from tests.attacks.refusals import LOG, assert_refused
from tests.running_broker import AUDIENCE, RunningBroker

INTERNAL = [
    "http://169.254.169.254/latest",
    "http://[fd00:ec2::254]/latest",
    "https://metadata.google.internal",
    "https://127.0.0.1:6379",
    "http://localhost:2375",
    "https://[::1]",
    "https://[::ffff:10.0.0.1]",
    "https://2130706433",
    "https://0x7f.1",
    "https://10.0.0.5",
    "https://evil.example",
    "https://evil.example/.well-known/openid-configuration?x=",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "unix:/var/run/docker.sock",
    "//evil.example",
    "evil.example",
    "x" * 8000,
]
NO_TEXT = [None, "", 0, True, [], ["https://token.actions.githubusercontent.com"], {"a": 1}]


def lure(attacker: KeyPublisher) -> FakeIssuer:
    """Publish as an issuer ought to, at the attacker's server: only trust is missing."""
    issuer = FakeIssuer(attacker.url, key=key_of("RS256", "attacker"))
    attacker.answers["/.well-known/openid-configuration"] = Answer(
        json.dumps(issuer.discovery()).encode()
    )
    attacker.answers["/.well-known/jwks"] = Answer(json.dumps(issuer.jwks()).encode())
    return issuer


@pytest.mark.parametrize("issuer", INTERNAL, ids=range(len(INTERNAL)))
def test_an_unknown_issuer_is_refused_without_any_contact(
    live_broker: RunningBroker, issuer: str
) -> None:
    token = live_broker.github_token(iss=issuer)

    with watching_outside(live_broker) as outside:
        response = live_broker.exchange(token)

    assert_refused(live_broker, response, "issuer_not_trusted")
    assert outside.contacted == []
    assert "/etc/passwd" not in outside.opened
    assert issuer not in response.text
    assert issuer not in LOG.text()


@pytest.mark.parametrize("issuer", NO_TEXT, ids=range(len(NO_TEXT)))
def test_an_issuer_that_is_no_text_is_refused(live_broker: RunningBroker, issuer: object) -> None:
    token = live_broker.github_token(iss=issuer)

    assert_refused(live_broker, live_broker.exchange(token), "issuer_not_trusted")


def test_an_issuer_that_publishes_well_is_not_trusted_for_that(
    live_broker: RunningBroker, attacker: KeyPublisher
) -> None:
    token = lure(attacker).token(octo_claims(), audience=AUDIENCE)
    fetches = live_broker.fetches()

    with watching_outside(live_broker) as outside:
        response = live_broker.exchange(token)

    assert_refused(live_broker, response, "issuer_not_trusted")
    assert outside.contacted == []
    assert attacker.connections == 0
    assert live_broker.fetches() == fetches


def test_an_unknown_issuer_is_not_contacted_however_it_is_presented(
    live_broker: RunningBroker, present: Present, attacker: KeyPublisher
) -> None:
    token = lure(attacker).token(octo_claims(), audience=AUDIENCE)

    assert_refused(live_broker, present(live_broker, token), "issuer_not_trusted")
    assert attacker.connections == 0


@pytest.mark.parametrize(
    "claims",
    [{"jwks_uri": "{url}/keys"}, {"iss_metadata": "{url}"}, {"sub": "{url}"}, {"aud": "{url}"}],
    ids=lambda claims: next(iter(claims)),
)
def test_no_url_in_a_claim_is_contacted(
    live_broker: RunningBroker, attacker: KeyPublisher, claims: dict[str, str]
) -> None:
    token = live_broker.github_token(
        **{name: value.format(url=attacker.url) for name, value in claims.items()}
    )

    with watching_outside(live_broker) as outside:
        live_broker.exchange(token)

    assert outside.contacted == []
    assert attacker.connections == 0


@pytest.mark.parametrize("parameter", ["audience", "resource", "client_id", "issuer", "jwks_uri"])
def test_no_url_in_a_parameter_is_contacted(
    live_broker: RunningBroker, attacker: KeyPublisher, parameter: str
) -> None:
    token = live_broker.github_token()

    with watching_outside(live_broker) as outside:
        live_broker.exchange(token, **{parameter: f"{attacker.url}/x"})

    assert outside.contacted == []
    assert attacker.connections == 0
