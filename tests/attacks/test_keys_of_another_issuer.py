"""Attacks rows 21 and 22: a key of one trusted issuer never speaks for another."""

import pytest

from broker.testing import FakeIssuer, gitlab_claims
from tests.attacks.compact_tokens import octo_claims
from tests.attacks.hostile_issuers import HostileIssuers, key_of
from tests.attacks.key_publisher import document
from tests.attacks.presenting import Present
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, GITHUB, GITLAB, RunningBroker


def test_a_self_managed_gitlab_does_not_speak_for_gitlab_com(
    live_broker: RunningBroker, present: Present
) -> None:
    token = live_broker.gitlab_corp.token(gitlab_claims(iss=GITLAB), audience=AUDIENCE)

    assert_refused(live_broker, present(live_broker, token), "key_not_found")


def test_a_self_managed_gitlab_does_not_speak_for_gitlab_com_under_its_kid(
    live_broker: RunningBroker, present: Present
) -> None:
    token = live_broker.gitlab_corp.token(
        gitlab_claims(iss=GITLAB), audience=AUDIENCE, header={"kid": live_broker.gitlab.key_id}
    )

    assert_refused(live_broker, present(live_broker, token), "signature_invalid")


@pytest.mark.parametrize("kid", ["its own", "github's"])
def test_no_other_platform_speaks_for_github(live_broker: RunningBroker, kid: str) -> None:
    header = {"kid": live_broker.github.key_id} if kid == "github's" else {}
    expected = "signature_invalid" if kid == "github's" else "key_not_found"

    for issuer in (live_broker.gitlab, live_broker.gitlab_corp, live_broker.buildkite):
        token = issuer.token(octo_claims(iss=GITHUB), audience=AUDIENCE, header=header)
        assert_refused(live_broker, live_broker.exchange(token), expected)


def test_github_does_not_speak_for_a_self_managed_gitlab(live_broker: RunningBroker) -> None:
    token = live_broker.github.token(
        gitlab_claims(iss=live_broker.gitlab_corp.url), audience=AUDIENCE
    )

    assert_refused(live_broker, live_broker.exchange(token), "key_not_found")


def test_the_claims_of_another_platform_are_no_job_of_this_one(
    live_broker: RunningBroker, present: Present
) -> None:
    token = live_broker.gitlab_corp.token(octo_claims(), audience=AUDIENCE)

    assert_refused(live_broker, present(live_broker, token), "claim_invalid")


def test_one_kid_in_two_issuers_is_two_keys(hostile_issuers: HostileIssuers) -> None:
    """A fork of Gitea really publishes a key under GitHub's `kid`."""
    good, bad = hostile_issuers.fresh(), hostile_issuers.fresh()
    broker, own, others = hostile_issuers.broker, key_of("RS256"), key_of("RS256", "attacker")
    kid = FakeIssuer(good.url, key=own).key_id
    good.publish(document(good.jwk(key=own, kid=kid)))
    bad.publish(document(bad.jwk(key=others, kid=kid)))

    # Whichever is asked first, both keys are held when the forged tokens come.
    assert broker.exchange(bad.token(key=others, header={"kid": kid})).status_code == 200
    assert broker.exchange(good.token(key=own)).status_code == 200
    forged = good.token(key=others, header={"kid": kid})
    assert_refused(broker, broker.exchange(forged), "signature_invalid")
    forged = bad.token(key=own)
    assert_refused(broker, broker.exchange(forged), "signature_invalid")


def test_a_key_that_only_another_issuer_publishes_is_not_found(
    hostile_issuers: HostileIssuers,
) -> None:
    good, bad = hostile_issuers.fresh(), hostile_issuers.fresh()
    broker, others = hostile_issuers.broker, key_of("RS256", "attacker")
    good.publish_well()
    bad.publish(document(bad.jwk(key=others)))
    assert broker.exchange(bad.token(key=others)).status_code == 200

    assert_refused(broker, broker.exchange(good.token(key=others)), "key_not_found")
