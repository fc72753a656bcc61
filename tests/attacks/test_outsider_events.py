"""Rows 89-91, 105, 156-158: a pipeline that somebody from outside can start.

Its ref, environment and repository look like those of a push; only the event tells them apart.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from broker.testing import gitlab_claims
from tests.attacks.hand_made_tokens import payload_of, with_payload
from tests.attacks.own_tenants import (
    assert_no_policy,
    assert_permitted_by,
    from_github,
    from_gitlab,
    policies_of_own_tenants,
)
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker
from tests.special_brokers import special_broker

GITHUB_CONDITIONS = {
    "whole-repository": "",
    "any-ref": 'ref: {glob: "**"}',
    "environment-alone": "environment: prod",
    "named": "event_name: pull_request",
    "named-in-a-list": "event_name: [push, pull_request_target, workflow_run]",
    "named-beside-a-glob": 'event_name: [issue_comment, {glob: "push*"}]',
    "by-glob": 'event_name: {glob: "pull_request*"}',
    "by-any-glob": 'event_name: {glob: "**"}',
    "by-regex": 'event_name: {regex: "pull_request|push"}',
    "by-not": "event_name: {not: workflow_dispatch}",
    "by-present": "event_name: {present: true}",
    "by-sub": 'sub: "repo:octo-org/octo-repo:pull_request"',
    "another-claim": "workflow: pull_request",
    "wrong-case": "event_name: Pull_Request",
    "denied": "event_name: [push, pull_request, pull_request_target]",
}
GITLAB_CONDITIONS = {
    "whole-project": "",
    "protected-main": "ref: main, ref_protected: true",
    "merge-requests": "pipeline_source: merge_request_event",
    "children": "pipeline_source: [push, parent_pipeline, pipeline]",
    "source-by-glob": 'pipeline_source: {glob: "*pipeline*"}',
    "source-by-not": "pipeline_source: {not: web}",
}
POLICIES = f"""\
policies:
{policies_of_own_tenants(GITHUB_CONDITIONS)}
{policies_of_own_tenants(GITLAB_CONDITIONS, issuer="gitlab")}
  no-pull-requests:
    effect: deny
    issuer: github
    match: {{repository_id: denied, event_name: {{glob: "pull_request*"}}}}
"""
OUTSIDERS = [
    "pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment",
    "workflow_run", "issue_comment", "issues", "discussion", "discussion_comment", "fork", "watch",
    "label", "gollum", "check_run", "check_suite", "status", "page_build", "deployment_status",
    "event_of_next_year",
]  # fmt: skip
INSIDERS = [
    "push", "workflow_dispatch", "schedule", "release", "create", "delete", "deployment",
    "merge_group", "repository_dispatch",
]  # fmt: skip


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


@pytest.mark.parametrize("event", OUTSIDERS)
@pytest.mark.parametrize("policy", ["whole-repository", "by-any-glob", "by-not", "by-present"])
def test_an_event_that_outsiders_cause_is_never_meant_unnamed(
    broker: RunningBroker, policy: str, event: str
) -> None:
    answer = from_github(broker, policy, event_name=event, ref="refs/heads/main")

    assert_no_policy(broker, answer)


@pytest.mark.parametrize("event", INSIDERS)
def test_one_that_only_insiders_cause_need_not_be_named(broker: RunningBroker, event: str) -> None:
    answer = from_github(broker, "whole-repository", event_name=event)

    assert_permitted_by(broker, answer, "whole-repository")


@pytest.mark.parametrize(
    "policy", ["any-ref", "by-glob", "by-regex", "by-sub", "another-claim", "wrong-case"]
)
def test_a_pull_request_is_meant_by_nothing_but_its_name(
    broker: RunningBroker, policy: str
) -> None:
    answer = from_github(broker, policy, event_name="pull_request", workflow="pull_request")

    assert_no_policy(broker, answer)


@pytest.mark.parametrize(
    ("policy", "event"),
    [
        ("named", "pull_request"),
        ("named-in-a-list", "pull_request_target"),
        ("named-in-a-list", "workflow_run"),
        ("named-in-a-list", "push"),
        ("named-beside-a-glob", "issue_comment"),
        ("named-beside-a-glob", "push"),
    ],
)
def test_named_it_is(broker: RunningBroker, policy: str, event: str) -> None:
    assert_permitted_by(broker, from_github(broker, policy, event_name=event), policy)


@pytest.mark.parametrize(
    ("policy", "event"),
    [
        ("named", "pull_request_target"),
        ("named", "push"),
        ("named-in-a-list", "pull_request"),
        ("named-beside-a-glob", "pull_request"),
        ("named-beside-a-glob", "pushed"),
        ("named-beside-a-glob", "issues"),
        ("named", "PULL_REQUEST"),
        ("named", "pull_request "),
    ],
)
def test_naming_one_means_no_other(broker: RunningBroker, policy: str, event: str) -> None:
    assert_no_policy(broker, from_github(broker, policy, event_name=event))


def test_an_environment_hides_no_pull_request(broker: RunningBroker) -> None:
    """With an environment `sub` says nothing of the event, and looks like that of a push."""
    subs = {}
    for event in ("push", "pull_request", "pull_request_target"):
        claims = payload_of(
            broker, repository_id="environment-alone", event_name=event, environment="prod"
        )
        subs[event] = claims["sub"]
        answer = broker.exchange(broker.github.token(claims, audience=AUDIENCE))
        if event == "push":
            assert_permitted_by(broker, answer, "environment-alone")
        else:
            assert_no_policy(broker, answer)
    assert len(set(subs.values())) == 1


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target", "pull_request_of_2027"])
def test_a_deny_wins_over_every_name(broker: RunningBroker, event: str) -> None:
    answer = from_github(broker, "denied", event_name=event)

    if event in GITHUB_CONDITIONS["denied"]:
        assert_refused(broker, answer, "denied_by_policy")
    else:
        assert_no_policy(broker, answer)
    assert_permitted_by(broker, from_github(broker, "denied"), "denied")


ABSENT = [None, "", [], ["push"], [None], {}, {"push": "push"}, 1, 1.5, True, False, "null"]


@pytest.mark.parametrize("event", ABSENT, ids=repr)
@pytest.mark.parametrize("policy", ["whole-repository", "named-in-a-list", "by-any-glob", "by-not"])
def test_an_event_that_is_no_text_is_one_that_nobody_knows(
    broker: RunningBroker, policy: str, event: Any
) -> None:
    payload = payload_of(broker, repository_id=policy) | {"event_name": event}

    answer = broker.exchange(with_payload(broker, json.dumps(payload)))

    assert_no_policy(broker, answer)


@pytest.mark.parametrize("policy", ["whole-repository", "named-in-a-list", "by-not"])
def test_so_is_none_at_all(broker: RunningBroker, policy: str) -> None:
    assert_no_policy(broker, from_github(broker, policy, event_name=None))


@pytest.mark.parametrize(
    "source",
    ["merge_request_event", "external_pull_request_event", "parent_pipeline", "pipeline", "chat",
     "webide", "external", "ondemand_dast_scan", "security_orchestration_policy",
     "source_of_next_year", "PUSH"],
)  # fmt: skip
@pytest.mark.parametrize(
    "policy", ["whole-project", "protected-main", "source-by-not", "source-by-glob"]
)
def test_gitlab_pipelines_are_guarded_alike(
    broker: RunningBroker, policy: str, source: str
) -> None:
    """The `sub` of a merge request's pipeline is that of its source branch, which may be `main`."""
    answer = from_gitlab(broker, policy, pipeline_source=source, ref="main", ref_protected="true")

    assert_no_policy(broker, answer)


@pytest.mark.parametrize("source", ["push", "web", "schedule", "api", "trigger"])
def test_those_of_insiders_need_no_name(broker: RunningBroker, source: str) -> None:
    answer = from_gitlab(broker, "protected-main", pipeline_source=source)

    assert_permitted_by(broker, answer, "protected-main")


@pytest.mark.parametrize(
    ("policy", "source"),
    [
        ("merge-requests", "merge_request_event"),
        ("children", "parent_pipeline"),
        ("children", "pipeline"),
        ("children", "push"),
    ],
)
def test_the_others_are_admitted_by_name(broker: RunningBroker, policy: str, source: str) -> None:
    assert_permitted_by(broker, from_gitlab(broker, policy, pipeline_source=source), policy)


@pytest.mark.parametrize("source", [None, "", [], ["push"], {}, 1, True], ids=repr)
def test_a_source_that_is_no_text_is_unknown(broker: RunningBroker, source: Any) -> None:
    claims = gitlab_claims(project_id="whole-project")
    payload = broker.gitlab.claims(claims, audience=AUDIENCE) | {"pipeline_source": source}

    token = broker.gitlab.token({}, audience=AUDIENCE, payload=json.dumps(payload).encode())

    assert_no_policy(broker, broker.exchange(token))
