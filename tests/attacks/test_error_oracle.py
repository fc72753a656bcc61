"""Row 59: error texts that tell an anonymous caller, or a stranger, what the policies say."""

import json
from collections.abc import Iterator

import httpx
import pytest

from broker.core.vocabulary import GRANT_JWT_BEARER
from tests.attacks.hand_made_tokens import payload_of, with_literal
from tests.attacks.refusals import assert_refused
from tests.attacks.replacing_signatures import with_flipped_signature
from tests.running_broker import AUDIENCE, RunningBroker
from tests.special_brokers import special_broker

POLICIES = """\
policies:
  no-forks:
    effect: deny
    issuer: github
    match: {event_name: {glob: "pull_request*"}}
  pull-requests-read:
    service_account: deploy-web
    issuer: github
    match: {repository_id: 456789, event_name: pull_request}
    grants: {deploy-api: [deploy:read]}
"""

# What the configuration calls things: nothing of it is anybody's business.
SECRETS = [
    "octo-main", "octo-gitlab", "octo-buildkite", "deploy-web", "artifacts", "billing",
    "deploy:read", "deploy:write", "deploy.example.com", "no-forks", "pull-requests-read",
    "gitlab-corp", "456789",
]  # fmt: skip
OTHERS = ["octo-gitlab", "octo-buildkite", "gitlab-corp", "7b9a3c52", "no-forks"]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        assert broker.exchange(broker.github_token()).status_code == 200
        yield broker


def assert_tells_nothing(answer: httpx.Response) -> None:
    """Assert that an answer has the five usual members and no word of the configuration."""
    body = answer.json()
    assert body.keys() == {"error", "error_description", "reason", "decision_id", "error_uri"}
    # The link adds nothing to the id but the address that was asked.
    assert body["error_uri"] == f"{answer.url.copy_with(path='/d/')}{body['decision_id']}"
    assert [word for word in SECRETS if word in answer.text] == []


def assert_tells_nothing_of_others(answer: httpx.Response) -> None:
    """Assert that an answer has no word of what is not the caller's own to see."""
    assert [word for word in OTHERS if word in answer.text] == []


def anonymous_tokens(broker: RunningBroker) -> dict[str, str]:
    """One token per way to be refused before the signature holds."""
    github, gitlab_corp = broker.github, broker.gitlab_corp
    claims = payload_of(broker)
    good = broker.github_token()
    return {
        "malformed_token": "a.b.c",
        "issuer_not_trusted": broker.github_token(iss="https://evil.example"),
        "key_not_found": gitlab_corp.token(claims | {"iss": gitlab_corp.url}, audience=AUDIENCE,
                                           header={"kid": "made-up"}),
        "algorithm_not_allowed": gitlab_corp.token(
            claims | {"iss": gitlab_corp.url}, audience=AUDIENCE, algorithm="PS256",
            key=gitlab_corp.key,
        ),
        "signature_invalid": with_flipped_signature(good),
        "claim_invalid": with_literal(broker, "workflow", '"\\ud800"'),
        "": github.token(claims, audience=AUDIENCE, key=gitlab_corp.key),
    }  # fmt: skip


def test_an_anonymous_caller_learns_the_reason_word_alone(broker: RunningBroker) -> None:
    for expected, token in anonymous_tokens(broker).items():
        for answer in (
            broker.exchange(token),
            broker.jwt_bearer(token),
            broker.exchange(token, audience="no-such-service", scope="admin", client_id="admin"),
        ):
            assert answer.json()["reason"] == (expected or "signature_invalid")
            assert_tells_nothing(answer)


def test_what_is_asked_for_makes_no_difference_to_an_anonymous_caller(
    broker: RunningBroker,
) -> None:
    for token in anonymous_tokens(broker).values():
        answers = [
            broker.exchange(token, audience=audience).json()
            for audience in ("deploy-api", "billing", "no-such-service", None)
        ]
        assert len({json.dumps(answer) for answer in answers}) == 1


def test_an_anonymous_caller_does_not_learn_what_a_token_would_be_refused_for(
    broker: RunningBroker,
) -> None:
    tokens = [
        broker.github_token(),
        broker.github_token(event_name="pull_request"),
        broker.github_token(repository_id="1"),
        broker.github_token(aud="https://other.example"),
        broker.github_token(exp=1_795_200_300, iat=1_795_200_000),
    ]

    answers = [broker.exchange(with_flipped_signature(token)).json() for token in tokens]

    assert len({json.dumps(answer) for answer in answers}) == 1


STRANGER = {
    "repository": "evil/octo-repo",
    "repository_owner": "evil",
    "repository_id": "666",
    "repository_owner_id": "667",
}


@pytest.mark.parametrize("event", ["push", "pull_request", "issue_comment"])
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"audience": "billing"},
        {"audience": "no-such-service"},
        {"audience": None},
        {"scope": "deploy:write"},
        {"scope": "no-such-scope"},
    ],
    ids=repr,
)
def test_a_strangers_job_learns_its_own_claims_alone(
    broker: RunningBroker, event: str, asked: dict[str, str | None]
) -> None:
    token = broker.github_token(event_name=event, **STRANGER)

    answer = broker.exchange(token, **asked)

    assert_refused(broker, answer, "no_policy_matched")
    assert_tells_nothing(answer)
    assert "repository 'evil/octo-repo'" in answer.json()["error_description"]


def test_a_stranger_cannot_tell_which_services_or_scopes_exist(broker: RunningBroker) -> None:
    answers = [
        broker.exchange(broker.github_token(**STRANGER), audience=audience, scope=scope).json()
        for audience in ("deploy-api", "billing", "no-such-service", "https://deploy.example.com")
        for scope in (None, "deploy:write", "no-such-scope")
    ]

    assert len({answer["error_description"] for answer in answers}) == 1


def test_a_stranger_may_name_an_account_without_learning_whether_it_exists(
    broker: RunningBroker,
) -> None:
    texts = [
        broker.exchange(broker.github_token(**STRANGER), client_id=client_id)
        .json()["error_description"]
        .replace(client_id, "ACCOUNT")
        for client_id in ("deploy-web", "no-such-account")
    ]

    assert texts[0] == texts[1]


def test_the_own_tenant_learns_that_a_deny_policy_stands_in_its_way(broker: RunningBroker) -> None:
    answer = broker.exchange(broker.github_token(event_name="pull_request"))

    event = assert_refused(broker, answer, "denied_by_policy")
    assert event["policies"] == ["no-forks"]
    assert_tells_nothing_of_others(answer)


def test_the_own_tenant_does_not_learn_of_denials_where_it_has_no_policy(
    broker: RunningBroker,
) -> None:
    token = broker.github_token(event_name="pull_request_target")

    answer = broker.exchange(token)

    assert_refused(broker, answer, "no_policy_matched")
    assert "no-forks" not in answer.text


def test_the_own_tenant_is_told_what_it_asked_for_and_not_what_there_is(
    broker: RunningBroker,
) -> None:
    unknown, forbidden = (
        broker.exchange(broker.github_token(), audience=audience)
        for audience in ("no-such-service", "billing")
    )

    for answer in (unknown, forbidden):
        assert_refused(broker, answer, "target_unknown")
        assert_tells_nothing_of_others(answer)
    texts = [answer.json()["error_description"] for answer in (unknown, forbidden)]
    assert texts[0].replace("no-such-service", "billing") == texts[1]


def test_the_operator_finds_the_whole_behind_the_decision_id(broker: RunningBroker) -> None:
    answer = broker.exchange(broker.github_token(**STRANGER))

    event = assert_refused(broker, answer, "no_policy_matched")
    assert event["claims"]["repository"] == "evil/octo-repo"
    assert event["issuer"] == "github"
    assert event["policy_set"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_unexpected_method_tells_nothing_either(broker: RunningBroker, method: str) -> None:
    answer = broker.request(method, "/oauth/token", data={"grant_type": GRANT_JWT_BEARER})

    assert answer.status_code == 405
    assert_tells_nothing(answer)
