"""Attacks row 4: a key serves one algorithm, whatever the token's header says (PYSEC-2026-176)."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.attacks.compact_tokens import octo_claims
from tests.attacks.hostile_issuers import HostileIssuers, key_of
from tests.attacks.key_publisher import document
from tests.attacks.presenting import Present
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker


@pytest.mark.parametrize(
    ("published", "used"),
    [("RS256", "PS256"), ("RS256", "RS512"), ("RS512", "RS256"), ("PS256", "RS256")],
)
def test_a_key_published_for_one_algorithm_verifies_no_other(
    hostile_issuers: HostileIssuers, published: str, used: str
) -> None:
    issuer, key = hostile_issuers.fresh(), key_of("RS256")
    issuer.publish(document(issuer.jwk(key=key, alg=published)))
    broker = hostile_issuers.broker

    response = broker.exchange(issuer.token(key=key, algorithm=used))

    assert_refused(broker, response, "algorithm_not_allowed")
    assert broker.exchange(issuer.token(key=key, algorithm=published)).status_code == 200


@pytest.mark.parametrize("used", ["RS512", "PS256"])
def test_a_key_published_without_algorithm_is_bound_to_one(
    hostile_issuers: HostileIssuers, used: str
) -> None:
    issuer, key = hostile_issuers.fresh(), key_of("RS256")
    issuer.publish(document(issuer.jwk(alg=None)))
    broker = hostile_issuers.broker

    response = broker.exchange(issuer.token(key=key, algorithm=used))

    assert_refused(broker, response, "algorithm_not_allowed")
    assert broker.exchange(issuer.token(key=key, algorithm="RS256")).status_code == 200


def test_a_curve_serves_its_own_algorithm_alone(hostile_issuers: HostileIssuers) -> None:
    issuer, key = hostile_issuers.fresh(), key_of("ES512")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    issuer.publish(document(issuer.jwk(key=key, algorithm="ES512", alg=None)))
    broker = hostile_issuers.broker

    response = broker.exchange(issuer.token(key=key, algorithm="ES512", header={"alg": "ES256"}))

    assert_refused(broker, response, "algorithm_not_allowed")


@pytest.mark.parametrize(("curve_of", "stated"), [("ES512", "ES256"), ("ES256", "ES512")])
def test_a_key_that_contradicts_its_own_algorithm_is_not_used(
    hostile_issuers: HostileIssuers, curve_of: str, stated: str
) -> None:
    issuer, key = hostile_issuers.fresh(), key_of(curve_of)
    issuer.publish(document(issuer.jwk(key=key, algorithm=curve_of, alg=stated), issuer.jwk()))
    broker = hostile_issuers.broker

    for algorithm in (curve_of, stated):
        token = issuer.token(key=key, algorithm=curve_of, header={"alg": algorithm})
        assert_refused(broker, broker.exchange(token), "key_not_found")


@pytest.mark.parametrize("algorithm", ["PS256", "RS384", "RS512"])
def test_an_algorithm_outside_the_issuers_list_is_refused(
    live_broker: RunningBroker, algorithm: str
) -> None:
    token = live_broker.github.token(octo_claims(), audience=AUDIENCE, algorithm=algorithm)

    assert_refused(live_broker, live_broker.exchange(token), "algorithm_not_allowed")


@pytest.mark.parametrize("lie", ["ES256", "PS256", "EdDSA", "rs256", "RS256 "])
def test_a_lie_about_the_algorithm_is_refused_however_it_is_presented(
    live_broker: RunningBroker, present: Present, lie: str
) -> None:
    token = live_broker.github_token(header={"alg": lie})

    assert_refused(live_broker, present(live_broker, token), "algorithm_not_allowed")
