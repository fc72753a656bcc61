"""Row 148: a token that the guard or a deny refuses, presented through another door."""

from pathlib import Path

import pytest

from broker.core.vocabulary import (
    ASSERTION_TYPE_JWT,
    GRANT_JWT_BEARER,
    GRANT_TOKEN_EXCHANGE,
    TOKEN_TYPE_JWT,
)
from tests.attacks.refusals import assert_refused
from tests.client_secrets import basic_header
from tests.running_broker import RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

DOORS = ["exchange", "jwt_bearer", "client_assertion"]
OUTSIDERS = ["pull_request", "pull_request_target", "issue_comment", "workflow_run", "invented"]


@pytest.mark.parametrize("event", OUTSIDERS)
@pytest.mark.parametrize("grant", DOORS)
def test_both_grants_guard_alike(live_broker: RunningBroker, grant: str, event: str) -> None:
    token = live_broker.github_token(event_name=event, ref="refs/heads/main")

    answer = getattr(live_broker, grant)(token)

    assert_refused(live_broker, answer, "no_policy_matched")


@pytest.mark.parametrize(
    "source", ["merge_request_event", "pipeline", "parent_pipeline", "invented"]
)
@pytest.mark.parametrize("grant", DOORS)
def test_so_they_do_for_gitlab(live_broker: RunningBroker, grant: str, source: str) -> None:
    token = live_broker.gitlab_token(pipeline_source=source, ref="main")

    answer = getattr(live_broker, grant)(token)

    assert_refused(live_broker, answer, "no_policy_matched")


def test_identical_claims_get_identical_rights(live_broker: RunningBroker) -> None:
    claims = [
        dict(verified(live_broker, getattr(live_broker, door)(live_broker.github_token())))
        for door in DOORS
    ]

    assert len({each.pop("jti") for each in claims}) == len(DOORS)
    assert claims[0] == claims[1] == claims[2]


@pytest.mark.parametrize("door", DOORS)
def test_a_foreign_token_is_nobodys(live_broker: RunningBroker, door: str) -> None:
    token = live_broker.github_token(repository="evil/repo", repository_id="7")

    assert_refused(live_broker, getattr(live_broker, door)(token), "no_policy_matched")


@pytest.mark.parametrize("door", DOORS)
def test_deny_policies_hold_at_every_door(tmp_path: Path, door: str) -> None:
    deny = "policies: {no-bots: {effect: deny, issuer: github, match: {actor: mallory}}}"
    with special_broker(tmp_path, deny) as broker:
        answer = getattr(broker, door)(broker.github_token(actor="mallory"))

        assert_refused(broker, answer, "denied_by_policy")


def test_the_client_id_asked_is_the_only_one(live_broker: RunningBroker) -> None:
    answer = live_broker.client_assertion(live_broker.github_token(), client_id="another")

    assert_refused(live_broker, answer, "no_policy_matched")


def test_without_a_client_id_it_is_no_client(live_broker: RunningBroker) -> None:
    token = live_broker.github_token()

    answer = live_broker.client_assertion(token, client_id="")

    assert_refused(live_broker, answer, "client_unknown_or_bad_secret")
    verified(live_broker, live_broker.client_assertion(token))


@pytest.mark.parametrize("grant_type", [GRANT_TOKEN_EXCHANGE, GRANT_JWT_BEARER])
def test_beside_another_grant_a_ci_token_is_no_client(
    live_broker: RunningBroker, grant_type: str
) -> None:
    good = live_broker.github_token()
    form = {"subject_token": good, "subject_token_type": TOKEN_TYPE_JWT, "assertion": good}

    answer = live_broker.client_assertion(live_broker.github_token(), grant_type=grant_type, **form)

    assert_refused(live_broker, answer, "client_unknown_or_bad_secret")


def test_explain_takes_no_client_assertion_instead(live_broker: RunningBroker) -> None:
    token = live_broker.github_token()
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE_JWT,
        "client_assertion": token,
        "client_id": "deploy-web",
        "subject_token": token,
        "subject_token_type": TOKEN_TYPE_JWT,
    }

    answer = live_broker.request("POST", "/oauth/explain", data=form)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


@pytest.mark.parametrize("other", ["basic", "post"])
def test_beside_another_way_it_is_an_invalid_client(live_broker: RunningBroker, other: str) -> None:
    token = live_broker.github_token()
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE_JWT,
        "client_assertion": token,
        "client_id": "deploy-web",
    }
    if other == "post":
        answer = live_broker.post(form | {"client_secret": "x"})
    else:
        answer = live_broker.post(form, headers=basic_header("deploy-web", "x"))

    assert_refused(live_broker, answer, "client_unknown_or_bad_secret")
