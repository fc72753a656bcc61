"""Attacks row 1: a token that says it needs no signature (CVE-2015-9235)."""

import pytest

from tests.attacks.compact_tokens import octo_claims, with_header
from tests.attacks.hostile_issuers import HostileIssuers
from tests.attacks.outbound import watching_outside
from tests.attacks.presenting import Present
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker

SPELLINGS = ["none", "None", "NONE", "nOnE", "none ", "", None, 0, False, ["none"], {"alg": "none"}]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_unsigned_token_is_refused_however_none_is_spelled(
    live_broker: RunningBroker, spelling: object
) -> None:
    signed = with_header(live_broker.github_token(), {"alg": spelling})
    unsigned = signed.rpartition(".")[0] + "."

    for token in (unsigned, signed):
        assert_refused(live_broker, live_broker.exchange(token), "algorithm_not_allowed")


def test_a_token_without_alg_is_refused(live_broker: RunningBroker) -> None:
    token = live_broker.github_token(header={"alg": None})

    assert_refused(live_broker, live_broker.exchange(token), "algorithm_not_allowed")


def test_an_unsigned_token_is_refused_however_it_is_presented(
    live_broker: RunningBroker, present: Present
) -> None:
    token = live_broker.github.token(octo_claims(), audience=AUDIENCE, algorithm="none")

    assert_refused(live_broker, present(live_broker, token), "algorithm_not_allowed")


def test_the_signature_may_not_be_left_out_under_an_honest_alg(live_broker: RunningBroker) -> None:
    token = live_broker.github_token().rpartition(".")[0] + "."

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


def test_no_key_is_looked_up_for_an_unsigned_token(hostile_issuers: HostileIssuers) -> None:
    issuer = hostile_issuers.fresh()
    issuer.publish_well()

    with watching_outside(issuer.broker) as outside:
        response = issuer.broker.exchange(issuer.token(header={"alg": "none"}))

    assert_refused(issuer.broker, response, "algorithm_not_allowed")
    assert outside.contacted == []
    assert issuer.requests() == []
