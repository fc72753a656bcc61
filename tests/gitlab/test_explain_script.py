"""templates/explain-curl.yml: what a job learns of a decision, and that it gets no token by it."""

import pytest

from tests.gitlab.answering import answering
from tests.gitlab.job_scripts import Script, said
from tests.gitlab.templates import job_of
from tests.running_broker import RunningBroker


def explain(url: str, **inputs: str) -> str:
    """Give the script of the job."""
    (text,) = job_of("explain-curl", broker_url=url, **inputs)["script"]
    return str(text)


def test_a_job_that_would_get_a_token_passes_and_gets_none(
    today_broker: RunningBroker, script: Script
) -> None:
    minted = today_broker.minted()

    done = script(explain(today_broker.url))

    assert done.returncode == 0, done.stderr
    lines = said(done.stdout)
    assert lines[0] == "decision:    permit"
    assert lines[2] == "account:     deploy-web"
    assert "eyJ" not in done.stdout
    assert today_broker.minted() == minted


def test_a_job_that_would_get_none_fails_and_is_told_why(
    today_broker: RunningBroker, script: Script
) -> None:
    token = today_broker.gitlab_token(ref='a"b', ref_protected="false")

    done = script(explain(today_broker.url), token)

    assert done.returncode == 1
    decision, reason, account, decision_id, fix, answer = said(done.stdout)
    assert (decision, reason, account) == (
        "decision:    deny",
        "reason:      no_policy_matched",
        "account:     ",
    )
    recorded = [f"decision_id: {event['id']}" for event in today_broker.events()]
    assert decision_id in recorded
    assert fix == "fix:         `ref_protected` is 'false': protect the branch a\"b"
    assert '"claim":"ref_protected"' in answer


def test_what_a_job_asks_for_counts(today_broker: RunningBroker, script: Script) -> None:
    done = script(explain(today_broker.url, scope="deploy:everything"))

    assert done.returncode == 1
    assert "reason:      scope_not_allowed" in said(done.stdout)


def test_a_token_that_cannot_be_verified_is_told(
    today_broker: RunningBroker, script: Script
) -> None:
    done = script(explain(today_broker.url), "a.b.c")

    assert (done.returncode, done.stdout) == (1, "")
    assert said(done.stderr)[:2] == [
        "no explanation for deploy-api: HTTP 400",
        "reason:      malformed_token",
    ]


def test_a_job_without_an_id_token_is_told_what_to_write(
    today_broker: RunningBroker, script: Script
) -> None:
    done = script(explain(today_broker.url), "")

    assert said(done.stderr)[0] == "this job has no ID token: BROKER_ID_TOKEN is empty."


@pytest.mark.parametrize("body", ["<html>Sign in</html>", "{}", '{"decision": "perhaps"}'])
def test_an_answer_that_is_no_permit_fails(script: Script, body: str) -> None:
    with answering((200, body)) as url:
        assert script(explain(url)).returncode == 1
