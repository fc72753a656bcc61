"""Row 113: one of our own tokens presented as if a CI platform had issued it."""

from pathlib import Path

import pytest

from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

JWT_TYPED = """\
services:
  cloud: {audience: https://broker.example, token_typ: JWT}
service_accounts:
  clouded: {grants: {cloud: []}}
policies:
  clouded: {service_account: clouded, issuer: github, match: {repository_id: 456789}}
"""


@pytest.mark.parametrize("grant", ["exchange", "jwt_bearer"])
def test_a_service_token_is_no_subject_token(live_broker: RunningBroker, grant: str) -> None:
    issued = live_broker.exchange(live_broker.github_token())
    verified(live_broker, issued)
    fetches = live_broker.fetches()

    answer = getattr(live_broker, grant)(issued.json()["access_token"])

    assert_refused(live_broker, answer, "issuer_not_trusted")
    assert live_broker.fetches() == fetches


def test_not_even_one_that_passes_for_an_id_token_by_type_and_audience(tmp_path: Path) -> None:
    with special_broker(tmp_path, JWT_TYPED) as broker:
        issued = broker.exchange(broker.github_token(), audience="cloud")
        assert issued.status_code == 200

        answer = broker.exchange(issued.json()["access_token"])

        assert_refused(broker, answer, "issuer_not_trusted")


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt"])
def test_a_token_of_another_type_is_none_whoever_signed_it(
    live_broker: RunningBroker, typ: str
) -> None:
    answer = live_broker.exchange(live_broker.github_token(header={"typ": typ}))

    assert_refused(live_broker, answer, "malformed_token")


def test_our_own_issuer_in_a_token_by_another_key_is_not_trusted(
    live_broker: RunningBroker,
) -> None:
    token = live_broker.github.token(
        {"iss": live_broker.url, "sub": "deploy-web"}, audience=AUDIENCE
    )

    assert_refused(live_broker, live_broker.exchange(token), "issuer_not_trusted")
