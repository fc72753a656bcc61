"""Rows 172, 176, 180: asking for explanations until one tells what is not one's own to know."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from broker.testing import gitlab_claims
from tests.attacks.refusals import assert_no_token_shows
from tests.attacks.replacing_signatures import with_flipped_signature
from tests.http.test_explain import explain
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

CROWD = 400
POLICIES = """\
service_accounts:
  secret-agent: {grants: {billing: [billing:read]}}
policies:
  names-and-ids:
    service_account: deploy-web
    issuer: github
    match: {repository: octo-lab/web, repository_id: 66, environment: codename-aurora}
  of-another-tenant:
    service_account: secret-agent
    issuer: github
    match: {repository_id: 7777777, environment: codename-borealis}
  of-another-issuer:
    service_account: secret-agent
    issuer: gitlab-corp
    match: {namespace_id: 8888888, user_email: boss@corp.example}
  by-person:
    service_account: deploy-web
    issuer: gitlab
    match: {project_id: 21, user_email: boss@corp.example, user_login: the-boss, ref: release}
  stop-aurora:
    effect: deny
    issuer: github
    match: {environment: codename-aurora, actor: mallory}
"""
MEMBER = """\
  member-NUMBER:
    service_account: deploy-web
    issuer: github
    match: {repository_owner_id: 55, ref: refs/heads/NUMBER}
"""
OTHERS = ["of-another-tenant", "secret-agent", "7777777", "8888888", "borealis", "stop-aurora",
          "of-another-issuer", "octo-gitlab", "boss@"]  # fmt: skip
STRANGER = {
    "repository": "octo-lab/web",
    "repository_owner": "octo-lab",
    "repository_id": "666",
    "repository_owner_id": "667",
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    crowd = "".join(MEMBER.replace("NUMBER", f"{number:03}") for number in range(CROWD))
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES + crowd) as broker:
        yield broker


TOLD = {"error", "error_description", "reason", "decision_id", "error_uri"}
ASKED: list[dict[str, Any]] = [
    {},
    {"audience": "billing"},
    {"audience": "no-such-service"},
    {"audience": None},
    {"scope": "billing:read"},
    {"client_id": "secret-agent"},
    {"client_id": "deploy-web"},
    {"client_id": "nobody"},
]


def ask(broker: RunningBroker, token: str, **asked: Any) -> httpx.Response:
    form = {name: value for name, value in asked.items() if value is not None}
    if "audience" in asked and asked["audience"] is None:
        form["audience"] = ""
    answer: httpx.Response = explain(broker, token, **form)
    return answer


def told(answer: httpx.Response) -> dict[str, Any]:
    """Give what an explanation tells, without the id that is its own."""
    body: dict[str, Any] = answer.json()
    assert body.pop("decision_id")
    return body


def test_a_stranger_with_our_names_learns_nothing_whatever_it_asks(broker: RunningBroker) -> None:
    answers = [
        told(ask(broker, broker.github_token(environment=environment, **STRANGER), **asked))
        for environment in ("codename-aurora", "codename-borealis", "x")
        for asked in ASKED
    ]

    for answer in answers:
        assert (answer["decision"], answer["reason"]) == ("deny", "no_policy_matched")
        assert answer["candidates"] == []
        assert [word for word in [*OTHERS, "names-and-ids", "66,"] if word in str(answer)] == []


def test_what_it_asks_for_makes_no_difference(broker: RunningBroker) -> None:
    token = broker.github_token(**STRANGER)

    texts = {
        json.dumps(told(ask(broker, token, audience=audience, scope=scope)))
        for audience in ("deploy-api", "billing", "no-such-service")
        for scope in (None, "deploy:write", "billing:read", "no-such-scope")
    }

    assert len(texts) == 1


def test_the_own_tenant_is_shown_its_own_policies_alone(broker: RunningBroker) -> None:
    for asked in ASKED:
        token = broker.github_token(
            repository="octo-lab/web", repository_id="66", environment="aurora"
        )
        body = told(ask(broker, token, **asked))
        assert {each["policy"] for each in body["candidates"]} <= {"names-and-ids"}
        assert [word for word in OTHERS if word in str(body) and word not in asked.values()] == []


def test_and_not_what_already_holds(broker: RunningBroker) -> None:
    token = broker.github_token(repository="octo-lab/web", repository_id="66", environment="x")

    (candidate,) = told(ask(broker, token))["candidates"]

    assert [each["claim"] for each in candidate["conditions"]] == ["environment"]


def test_a_deny_is_told_without_its_name_or_conditions(broker: RunningBroker) -> None:
    token = broker.github_token(
        repository="octo-lab/web", repository_id="66", environment="codename-aurora",
        actor="mallory",
    )  # fmt: skip

    body = told(ask(broker, token))

    assert body["reason"] == "denied_by_policy"
    assert "stop-aurora" not in str(body)
    assert "mallory" not in str(body)


def test_claims_cannot_be_made_up(broker: RunningBroker) -> None:
    """The oracle would take any claims, if it took them unsigned."""
    guesses = [
        with_flipped_signature(broker.github_token(repository_id="7777777")),
        with_flipped_signature(
            broker.github_token(repository_id="7777777", environment="codename-borealis")
        ),
        with_flipped_signature(broker.github_token(**STRANGER)),
    ]

    bodies = set()
    for token in guesses:
        for asked in ASKED:
            answer = ask(broker, token, **asked)
            assert answer.status_code == 400
            assert answer.json().keys() == TOLD
            bodies.add(answer.text)
    assert len(bodies) == 1


def test_an_explanation_is_no_more_than_the_refusal_says(broker: RunningBroker) -> None:
    claims = {"repository": "octo-lab/web", "repository_id": "66", "environment": "x"}

    explained = told(ask(broker, broker.github_token(**claims)))
    refused = broker.exchange(broker.github_token(**claims)).json()

    assert refused["reason"] == explained["reason"]
    assert refused["conditions"] == explained["candidates"][0]["conditions"]


# --- row 176 --------------------------------------------------------------------------------------

PEOPLE = {
    "user_email": "mallory@home.example",
    "user_login": "mallory-login",
    "user_id": "991199",
    "groups_direct": ["mallory-group"],
}


@pytest.mark.parametrize("project", ["21", "20", "666"])
def test_no_answer_repeats_who_somebody_is(broker: RunningBroker, project: str) -> None:
    """Answers end in the logs of CI, which on a public project everybody reads."""
    token = broker.gitlab.token(
        gitlab_claims(project_id=project, ref="x", **PEOPLE), audience=AUDIENCE
    )

    for answer in (broker.exchange(token), ask(broker, token)):
        assert "mallory" not in answer.text
        assert "991199" not in answer.text
        assert "boss" not in answer.text
        assert_no_token_shows(answer, broker.events())


def test_that_a_person_is_in_the_way_is_said_without_who(broker: RunningBroker) -> None:
    token = broker.gitlab_token(project_id="21", ref="x")

    (candidate,) = told(ask(broker, token))["candidates"]

    assert candidate["policy"] == "by-person"
    assert [each["claim"] for each in candidate["conditions"]] == ["ref"]


def test_an_actor_is_not_repeated_either(broker: RunningBroker) -> None:
    token = broker.github_token(actor="mallory-login", actor_id="991199", ref="refs/heads/x")

    for answer in (ask(broker, token), broker.exchange(token)):
        assert "mallory" not in answer.text
        assert "991199" not in answer.text
        assert "refs/heads/x" in answer.text


# --- row 180 --------------------------------------------------------------------------------------


def test_of_a_crowd_the_nearest_twenty_are_shown(broker: RunningBroker) -> None:
    token = broker.github_token(repository_id="1", repository_owner_id="55", ref="refs/heads/x")

    body = told(ask(broker, token))

    names = [each["policy"] for each in body["candidates"]]
    assert len(names) == len(set(names)) == 20
    assert all(name.startswith("member-") for name in names)


def test_the_order_of_asking_changes_nothing(broker: RunningBroker) -> None:
    token = broker.github_token(repository_id="1", repository_owner_id="55", ref="refs/heads/x")

    first, *others = [told(ask(broker, token)) for _ in range(3)]

    assert others == [first, first]


def test_asking_costs_no_token_and_leaves_its_trace(broker: RunningBroker) -> None:
    token = broker.github_token()
    before = broker.minted()

    ids = [ask(broker, token).json()["decision_id"] for _ in range(3)]

    events = {event["id"]: event for event in broker.events()}
    assert [events[each]["type"] for each in ids] == ["token.explained"] * 3
    assert broker.minted() == before
    verified(broker, broker.exchange(token))


def test_a_refusal_shows_the_conditions_of_one_policy_however_many_are_near(
    broker: RunningBroker,
) -> None:
    token = broker.github_token(repository_id="1", repository_owner_id="55", ref="refs/heads/x")

    body = broker.exchange(token).json()

    assert [each["claim"] for each in body["conditions"]] == ["ref"]
