"""Rows 110, 111: tokens of the same GitLab that no CI job was given for us."""

from typing import Any

import pytest

from broker.testing import gitlab_claims
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import verified

LOGIN = {
    "sub": "1",
    "sub_legacy": "c1c2",
    "name": "Sample User",
    "nickname": "sample-user",
    "preferred_username": "sample-user",
    "email": "sample-user@example.com",
    "email_verified": True,
    "groups_direct": ["acme"],
    "auth_time": 1_795_299_000,
}


def test_a_login_token_is_no_ci_token(live_broker: RunningBroker) -> None:
    """Same issuer, same keys, and even our audience, for an application called like us."""
    token = live_broker.gitlab.token(LOGIN, audience=AUDIENCE)

    assert_refused(live_broker, live_broker.exchange(token), "claim_invalid")


@pytest.mark.parametrize("missing", ["project_id", "pipeline_id", "job_id"])
@pytest.mark.parametrize("value", [None, ""], ids=repr)
def test_each_claim_of_a_job_must_be_there(
    live_broker: RunningBroker, missing: str, value: str | None
) -> None:
    token = live_broker.gitlab_token(**{missing: value})

    assert_refused(live_broker, live_broker.exchange(token), "claim_invalid")


@pytest.mark.parametrize("value", [[], {}, 1.5, ["20"], {"id": "20"}], ids=repr)
@pytest.mark.parametrize("claim", ["project_id", "pipeline_id", "job_id"])
def test_and_be_a_text(live_broker: RunningBroker, claim: str, value: Any) -> None:
    token = live_broker.gitlab_token(**{claim: value})

    assert_refused(live_broker, live_broker.exchange(token), "claim_invalid")


def test_claims_of_a_login_beside_those_of_a_job_do_no_harm(live_broker: RunningBroker) -> None:
    token = live_broker.gitlab_token(**{**LOGIN, "sub": gitlab_claims()["sub"]})

    verified(live_broker, live_broker.exchange(token))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"aud": "https://gitlab.com"}, "audience_mismatch", id="CI_JOB_JWT_V2"),
        pytest.param({"aud": None}, "audience_mismatch", id="no audience"),
        pytest.param(
            {"iss": "gitlab.com", "aud": None, "sub": "job_302"},
            "issuer_not_trusted",
            id="CI_JOB_JWT",
        ),
        pytest.param({"iss": "gitlab.com"}, "issuer_not_trusted", id="an issuer without scheme"),
        pytest.param({"aud": None, "sub": "job_302"}, "audience_mismatch", id="with its scheme"),
    ],
)
def test_tokens_that_gitlab_no_longer_makes_are_refused(
    live_broker: RunningBroker, changes: dict[str, str | None], reason: str
) -> None:
    token = live_broker.gitlab_token(**changes)

    assert_refused(live_broker, live_broker.exchange(token), reason)
