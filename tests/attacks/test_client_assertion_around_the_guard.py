"""Row 148: a token that the guard or a deny refuses, presented through another door."""

import pytest

from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
OUTSIDERS = ["pull_request", "pull_request_target", "issue_comment", "workflow_run", "invented"]


@pytest.mark.parametrize("event", OUTSIDERS)
@pytest.mark.parametrize("grant", ["exchange", "jwt_bearer"])
def test_both_grants_guard_alike(live_broker: RunningBroker, grant: str, event: str) -> None:
    token = live_broker.github_token(event_name=event, ref="refs/heads/main")

    answer = getattr(live_broker, grant)(token)

    assert_refused(live_broker, answer, "no_policy_matched")


@pytest.mark.parametrize(
    "source", ["merge_request_event", "pipeline", "parent_pipeline", "invented"]
)
@pytest.mark.parametrize("grant", ["exchange", "jwt_bearer"])
def test_so_they_do_for_gitlab(live_broker: RunningBroker, grant: str, source: str) -> None:
    token = live_broker.gitlab_token(pipeline_source=source, ref="main")

    answer = getattr(live_broker, grant)(token)

    assert_refused(live_broker, answer, "no_policy_matched")


def test_identical_claims_get_identical_rights(live_broker: RunningBroker) -> None:
    by_exchange, by_assertion = (
        dict(verified(live_broker, grant(live_broker.github_token())))
        for grant in (live_broker.exchange, live_broker.jwt_bearer)
    )

    assert by_exchange.pop("jti") != by_assertion.pop("jti")
    assert by_exchange == by_assertion


@pytest.mark.parametrize("event", ["push", *OUTSIDERS])
def test_a_ci_token_as_client_assertion_opens_nothing(
    live_broker: RunningBroker, event: str
) -> None:
    token = live_broker.github_token(event_name=event)
    if event == "push":
        verified(live_broker, live_broker.exchange(token))

    answer = live_broker.post(
        {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": token,
            "client_id": "deploy-web",
            "audience": "deploy-api",
        }
    )

    body = answer.json()
    assert (answer.status_code, body["error"]) == (400, "invalid_client")
    assert "www-authenticate" not in answer.headers
    assert "access_token" not in body
