"""Row 48: a GitLab job has one token for its whole life, so it may be presented again."""

from pathlib import Path

import pytest

from broker.testing import gitlab_claims
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, NOW, POLICIES, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

ARTIFACTS = "https://artifacts.example.com"


def test_a_reusable_token_serves_retries_and_further_services(live_broker: RunningBroker) -> None:
    token = live_broker.gitlab_token()

    for _ in range(2):
        verified(live_broker, live_broker.exchange(token))
    verified(live_broker, live_broker.jwt_bearer(token))
    verified(live_broker, live_broker.exchange(token, audience="artifacts"), audience=ARTIFACTS)


def test_a_per_audience_token_serves_each_service_once(live_broker: RunningBroker) -> None:
    token = live_broker.gitlab_corp.token(gitlab_claims(), audience=AUDIENCE)

    verified(live_broker, live_broker.exchange(token))
    verified(live_broker, live_broker.exchange(token, audience="artifacts"), audience=ARTIFACTS)
    for audience in ("deploy-api", "artifacts"):
        answer = live_broker.exchange(token, audience=audience)
        assert_refused(live_broker, answer, "token_already_used")


@pytest.mark.parametrize(
    ("life_left", "expires_in"), [(3600, 3600), (480, 480), (301, 301), (300, 300), (60, 300)]
)
def test_what_a_reusable_token_buys_ends_with_it(
    live_broker: RunningBroker, life_left: int, expires_in: int
) -> None:
    token = live_broker.gitlab_token(
        iat=int(NOW) + life_left - 3600, nbf=int(NOW) - 3600, exp=int(NOW) + life_left
    )

    answer = live_broker.exchange(token, expires_in="3600")

    assert verified(live_broker, answer)["exp"] == NOW + expires_in


def test_even_one_that_counts_by_the_leeway_alone_buys_five_minutes(
    live_broker: RunningBroker,
) -> None:
    token = live_broker.gitlab_token(iat=int(NOW) - 3600, exp=int(NOW) - 59)

    assert verified(live_broker, live_broker.exchange(token))["exp"] == NOW + 300


def test_a_single_use_token_may_buy_more_time_than_it_has(live_broker: RunningBroker) -> None:
    token = live_broker.github_token(iat=int(NOW) - 299, exp=int(NOW) + 1)

    answer = live_broker.exchange(token, expires_in="3600")

    assert verified(live_broker, answer)["exp"] == NOW + 3600


def test_an_operator_may_choose_one_exchange_per_job(tmp_path: Path) -> None:
    strict = POLICIES.replace(
        "gitlab: {{preset: gitlab,", "gitlab: {{preset: gitlab, replay: single_use,"
    )

    with special_broker(tmp_path, policies=strict) as broker:
        token = broker.gitlab_token()
        verified(broker, broker.exchange(token))
        answer = broker.exchange(token, audience="artifacts")
        assert_refused(broker, answer, "token_already_used")
