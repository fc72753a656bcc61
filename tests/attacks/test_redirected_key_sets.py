"""Attacks row 26: a trusted issuer that sends the broker elsewhere."""

import json

import pytest

from tests.attacks.hostile_issuers import HostileIssuers
from tests.attacks.key_publisher import Answer, KeyPublisher, document
from tests.attacks.outbound import watching_outside
from tests.attacks.refusals import LOG, assert_refused

REDIRECTS = [301, 302, 303, 307, 308]


@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("discovered", [False, True], ids=["key set", "discovery"])
def test_a_redirect_is_not_followed(
    hostile_issuers: HostileIssuers, attacker: KeyPublisher, status: int, discovered: bool
) -> None:
    issuer = hostile_issuers.fresh(discovered=discovered)
    broker = issuer.broker
    attacker.answers["/keys"] = document(issuer.jwk())
    redirect = Answer(status=status, headers=(f"Location: {attacker.url}/keys",))
    if discovered:
        issuer.discover(redirect)
    else:
        issuer.publish(redirect)

    with watching_outside(broker) as outside:
        response = broker.exchange(issuer.token())

    assert_refused(broker, response, "issuer_unavailable")
    assert "redirects are not followed" in LOG.text()
    assert attacker.connections == 0
    assert len(issuer.requests()) == 1
    assert set(outside.contacted) == {f"127.0.0.1:{issuer.publisher.port}"}


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/", "file:///etc/passwd", "/elsewhere", "//evil.example/keys", ""],
)
def test_a_redirect_is_not_followed_wherever_it_leads(
    hostile_issuers: HostileIssuers, location: str
) -> None:
    issuer = hostile_issuers.fresh()
    broker = issuer.broker
    issuer.publish(Answer(status=302, headers=(f"Location: {location}",)))

    with watching_outside(broker) as outside:
        response = broker.exchange(issuer.token())

    assert_refused(broker, response, "issuer_unavailable")
    assert set(outside.contacted) == {f"127.0.0.1:{issuer.publisher.port}"}
    assert "/etc/passwd" not in outside.opened


def test_keys_in_the_body_of_a_redirect_do_not_count(hostile_issuers: HostileIssuers) -> None:
    issuer = hostile_issuers.fresh()
    keys = json.dumps({"keys": [issuer.jwk()]}).encode()

    for headers in (("Location: /keys",), ("Refresh: 0; url=/keys",), ()):
        issuer.publish(Answer(keys, status=302, headers=headers))
        response = issuer.broker.exchange(issuer.token())
        assert_refused(issuer.broker, response, "issuer_unavailable")
