"""Row 114: a CI token sent where a service token is expected."""

from collections.abc import Iterator

import jwt
import pytest

from examples.protected_service import TokenVerifier
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import DEPLOY_API, verified, verified_token


@pytest.fixture(scope="module")
def now_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker whose clock shows the time, for a verifier that has one of its own."""
    import time  # noqa: PLC0415

    broker = RunningBroker(tmp_path_factory.mktemp("broker"))
    broker.clock.advance(int(time.time()) - broker.clock.now())
    with broker.serving():
        yield broker


def test_a_service_that_knows_the_brokers_keys_refuses_a_ci_token(
    live_broker: RunningBroker,
) -> None:
    token = live_broker.github_token(aud=DEPLOY_API, iss=live_broker.url)

    with pytest.raises(jwt.PyJWTError):
        verified_token(live_broker, token)


def test_a_token_for_one_service_is_refused_by_another(live_broker: RunningBroker) -> None:
    issued = live_broker.exchange(live_broker.github_token())
    verified(live_broker, issued)

    with pytest.raises(jwt.InvalidAudienceError):
        verified_token(
            live_broker, issued.json()["access_token"], audience="https://artifacts.example.com"
        )


def test_the_example_service_tells_them_apart(now_broker: RunningBroker) -> None:
    verifier = TokenVerifier(now_broker.url, DEPLOY_API)
    issued = now_broker.exchange(now_broker.github_token()).json()["access_token"]

    assert verifier.verify(issued)["sub"] == "deploy-web"
    for wrong in (
        now_broker.github_token(),
        now_broker.github_token(aud=DEPLOY_API),
        now_broker.github_token(aud=DEPLOY_API, iss=now_broker.url, header={"typ": "at+jwt"}),
    ):
        with pytest.raises(jwt.PyJWTError):
            verifier.verify(wrong)


def test_the_token_endpoint_takes_no_bearer(live_broker: RunningBroker) -> None:
    token = live_broker.github_token()

    answer = live_broker.exchange(token, headers=None)
    refused = live_broker.post(
        {"grant_type": "client_credentials"}, headers={"authorization": f"Bearer {token}"}
    )

    verified(live_broker, answer)
    assert_refused(live_broker, refused, "client_unknown_or_bad_secret", status=401)
    assert token not in refused.text
