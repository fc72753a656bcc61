"""Rows 59, 172, 174, 176: policies that only observe, made to count, to flood, or to tell.

Whoever may write the policies of a folder may have them observed; whoever has a token may ask for
explanations; what stands in a report was chosen by others.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from broker.core.audit import SerializedEvent
from broker.core.conditions import Glob
from broker.core.decision_markdown import decision_markdown
from broker.core.indexed_policies import IndexedPolicies
from broker.core.observation import MAX_NAMED
from broker.core.policy import Mode, Policy
from broker.core.recorded_decision import RecordedDecision
from broker.core.simulation import observations_markdown, observations_text
from broker.core.simulation.observations import ObservationReport, Observations
from tests.attacks.test_poisoned_simulation import HOSTILE
from tests.core.builders import a_policy, a_policy_set
from tests.core.simulation.recording import recorded, then
from tests.http.test_explain import explain
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

OBSERVED = """\
policies:
  seen-everywhere:
    service_account: deploy-web
    issuer: github
    match: {repository_id: [456789, 666], event_name: [push, pull_request, issues]}
    mode: observe
  seen-of-others:
    service_account: deploy-web
    issuer: github
    match: {repository_id: 7777777, environment: codename-aurora}
    mode: observe
  seen-deny: {effect: deny, issuer: github, match: {ref: {glob: "**"}}, mode: observe}
  seen-gitlab:
    service_account: deploy-web
    issuer: gitlab
    match: {project_id: 20}
    mode: observe
"""
DENIES_ONLY = """\
policies:
  seen-deny: {effect: deny, issuer: github, match: {ref: {glob: "**"}}, mode: observe}
  seen-of-others:
    service_account: deploy-web
    issuer: github
    match: {repository_id: 7777777, environment: codename-aurora}
    mode: observe
"""
STRANGER = {
    "repository": "mallory/web",
    "repository_id": "666",
    "repository_owner": "mallory",
    "repository_owner_id": "667",
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), OBSERVED) as broker:
        yield broker


# --- to make them count ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claims",
    [
        {"ref": "refs/heads/topic"},
        {"event_name": "pull_request", "ref": "refs/pull/1/merge"},
        {"event_name": "issues"},
        STRANGER,
    ],
)
def test_no_way_to_a_token_leads_through_an_observed_policy(
    broker: RunningBroker, claims: dict[str, str]
) -> None:
    minted = broker.minted()
    for way in (broker.exchange, broker.jwt_bearer):
        for asked in ({}, {"client_id": "deploy-web"}, {"scope": "deploy:read"}):
            answer = way(broker.github_token(**claims), **asked)
            assert (answer.status_code, answer.json()["reason"]) == (400, "no_policy_matched")
    assertion = broker.client_assertion(broker.github_token(**claims))
    assert assertion.json()["reason"] == "no_policy_matched"
    assert broker.minted() == minted


def test_an_observed_deny_stops_nobody(broker: RunningBroker) -> None:
    assert broker.exchange(broker.github_token()).status_code == 200
    [event] = [each for each in broker.decisions() if each["outcome"] == "success"][-1:]
    assert (event["policies"], event["would"]["kind"]) == (["octo-main"], "would_deny")


# --- to have it tell ------------------------------------------------------------------------------


def told(answer: Any) -> dict[str, Any]:
    """Give what an answer tells, without what is of this answer alone."""
    own = {"decision_id", "error_uri"}
    return {name: value for name, value in answer.json().items() if name not in own}


@pytest.mark.parametrize("claims", [STRANGER, {}, {"ref": "refs/heads/topic"}])
@pytest.mark.parametrize("asked", [{}, {"audience": "billing"}, {"scope": "billing:read"}])
def test_nobody_sees_by_an_answer_that_something_is_observed(
    claims: dict[str, str], asked: dict[str, str], two_brokers: tuple[RunningBroker, RunningBroker]
) -> None:
    plain, observing = two_brokers

    for ask in (explain, lambda broker, token, **more: broker.exchange(token, **more)):
        answers = [ask(each, each.github_token(**claims), **asked) for each in two_brokers]
        if answers[0].status_code == 200 and "access_token" in answers[0].json():
            assert answers[1].status_code == 200
            continue
        assert told(answers[1]) == told(answers[0])
        assert answers[1].status_code == answers[0].status_code
    assert observing.decisions()[-1]["observed"] == ["seen-deny"]
    assert plain.decisions()[-1]["observed"] == []


@pytest.fixture(scope="module")
def two_brokers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningBroker, RunningBroker]]:
    """Serve one broker without observed policies, and one with some that are not the caller's."""
    plain, observing = (tmp_path_factory.mktemp(name) for name in ("plain", "observing"))
    with special_broker(plain) as first, special_broker(observing, DENIES_ONLY) as second:
        yield first, second


# --- to flood -------------------------------------------------------------------------------------


def crowd(number: int) -> list[Policy]:
    return [
        a_policy(f"{'x' * 40}-{each:05}", {"repository": Glob("acme/*")}, mode=Mode.OBSERVE)
        for each in range(number)
    ]


def size(policies: list[Policy]) -> int:
    members = recorded(then(a_policy("web"), *policies))
    event = SerializedEvent.of_members(members)
    assert members["policies"] == ["web"]
    return len(event.after_claims)


def test_however_many_hold_the_record_does_not_grow_beyond_a_bound() -> None:
    """Of the folder of one team, the record of another team's job is not filled."""
    assert size(crowd(MAX_NAMED)) == size(crowd(5 * MAX_NAMED))
    assert size(crowd(5 * MAX_NAMED)) < 16_000


# --- to speak through a report --------------------------------------------------------------------


def hostile_report() -> ObservationReport:
    every = a_policy("every", {"repository_id": "456789"}, mode=Mode.OBSERVE)
    taking = Observations(IndexedPolicies.of(then(every)))
    for text in HOSTILE:
        event = recorded(then(every), ref=f"refs/heads/{text}", repository=text)
        taking.take(event)
        # An export is a file: whoever hands it over writes what it says.
        would = {**event["would"], "policies": [text], "service_account": text, "sub": text}
        taking.take({**event, "id": text, "observed": [text], "would": would})
    return taking.report()


def test_no_name_leaves_its_line_or_moves_the_cursor() -> None:
    text = observations_text.render(hostile_report())

    assert all(line.isprintable() for line in text.split("\n"))
    assert not re.search(r"^\s*(::|- |#)", text, re.MULTILINE)


def test_in_a_comment_every_name_is_a_span_of_code() -> None:
    text = observations_markdown.render(hostile_report())

    assert all(line.isprintable() for line in text.split("\n"))
    assert "`" * 81 not in text
    rest = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    for sign in ("<img", "@acme", "](", "evil", "::", "HYPERLINK", "Approved"):
        assert sign not in rest


@pytest.mark.parametrize("name", HOSTILE)
def test_in_a_message_for_a_chat_as_well(name: str) -> None:
    policy_set = a_policy_set(a_policy("seen", mode=Mode.OBSERVE))
    event = recorded(replace(policy_set, version="1" * 64)) | {"observed": [name]}

    message = decision_markdown(event, RecordedDecision(None, ()))

    rest = re.sub("`[^`\n]+`", "", message)
    for sign in ("<img", "@acme", "](", "evil", "::", "HYPERLINK", "Approved"):
        assert sign not in rest
