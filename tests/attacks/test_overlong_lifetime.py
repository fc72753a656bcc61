"""Row 40: a token that lives for years, good for whoever finds it."""

from typing import Any

import pytest

from broker.testing import FakeIssuer, github_claims, gitlab_claims
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, BUILDKITE, GITHUB, NOW, RunningBroker
from tests.service_tokens import verified

CLAIMS: dict[str, dict[str, Any]] = {
    GITHUB: github_claims(repository="octo-org/octo-repo", repository_id="456789"),
    BUILDKITE: {
        "sub": "organization:octo",
        "organization_id": "7b9a3c52-0000-4000-8000-000000000001",
    },
}
TEN_YEARS = 10 * 365 * 24 * 3600


def token_living(issuer: FakeIssuer, seconds: int) -> str:
    claims = CLAIMS.get(issuer.url) or gitlab_claims()
    return issuer.token(claims, audience=AUDIENCE, lifetime=seconds)


@pytest.mark.parametrize(
    ("name", "limit"),
    [("github", 600), ("gitlab", 86_400), ("gitlab_corp", 86_400), ("buildkite", 3600)],
)
def test_each_issuer_has_its_limit(live_broker: RunningBroker, name: str, limit: int) -> None:
    issuer = getattr(live_broker, name)

    verified(live_broker, live_broker.exchange(token_living(issuer, limit)))
    for seconds in (limit + 1, TEN_YEARS):
        answer = live_broker.exchange(token_living(issuer, seconds))
        assert_refused(live_broker, answer, "token_lifetime_too_long")


def test_the_lifetime_counts_from_issue_not_from_now(live_broker: RunningBroker) -> None:
    issued_long_ago = live_broker.github_token(
        iat=int(NOW) - 86_400, nbf=int(NOW) - 86_400, exp=int(NOW) + 60
    )

    answer = live_broker.exchange(issued_long_ago)

    assert_refused(live_broker, answer, "token_lifetime_too_long")


def test_a_long_job_does_not_buy_a_long_service_token(live_broker: RunningBroker) -> None:
    token = token_living(live_broker.gitlab, 86_400)

    answer = live_broker.exchange(token, expires_in="86400")

    assert verified(live_broker, answer)["exp"] == NOW + 3600
