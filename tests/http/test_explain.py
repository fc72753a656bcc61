"""`/oauth/explain`: what would be decided, to whom, at no cost to the token."""

from typing import Any

from broker.core.vocabulary import TOKEN_TYPE_JWT
from tests.running_broker import RunningBroker


def explain(broker: RunningBroker, token: str, **parameters: Any) -> Any:
    form = {
        "subject_token": token,
        "subject_token_type": TOKEN_TYPE_JWT,
        "audience": "deploy-api",
        **parameters,
    }
    return broker.request("POST", "/oauth/explain", data=form)


def test_a_permit_is_explained_and_the_token_still_buys_one(live_broker: RunningBroker) -> None:
    token = live_broker.github_token()
    minted = live_broker.minted()

    answer = explain(live_broker, token)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert (told["decision"], told["reason"]) == ("permit", None)
    assert (told["service_account"], told["sub"]) == ("deploy-web", "deploy-web")
    assert told["audience"] == "https://deploy.example.com"
    assert told["scopes"] == ["deploy:read", "deploy:write"]
    assert "access_token" not in told
    assert live_broker.minted() == minted
    assert live_broker.exchange(token).status_code == 200


def test_a_spent_token_is_explained_as_well(live_broker: RunningBroker) -> None:
    token = live_broker.github_token()
    assert live_broker.exchange(token).status_code == 200

    assert explain(live_broker, token).json()["decision"] == "permit"


def test_a_refusal_says_which_condition_of_the_own_policy_fails(live_broker: RunningBroker) -> None:
    told = explain(live_broker, live_broker.github_token(ref="refs/heads/feature")).json()

    assert (told["decision"], told["reason"]) == ("deny", "no_policy_matched")
    [candidate] = told["candidates"]
    assert candidate["policy"] == "octo-main"
    assert candidate["conditions"] == [
        {
            "claim": "ref",
            "operator": "equals",
            "expected": "refs/heads/main",
            "got": "refs/heads/feature",
            "holds": False,
        }
    ]
    assert "refs/heads/feature" in told["fix"]


def test_a_stranger_learns_of_no_policy(live_broker: RunningBroker) -> None:
    token = live_broker.github_token(
        repository="mallory/web", repository_id="666", repository_owner_id="667"
    )
    told = explain(live_broker, token).json()

    assert (told["decision"], told["candidates"]) == ("deny", [])
    assert "octo" not in str(told)


def test_the_question_is_audited(live_broker: RunningBroker) -> None:
    told = explain(live_broker, live_broker.github_token(ref="refs/heads/feature")).json()

    [event] = [each for each in live_broker.events() if each["id"] == told["decision_id"]]
    assert (event["type"], event["outcome"]) == ("token.explained", "success")
    assert event["reason"] == "no_policy_matched"
    assert event["token_id"] is None


def test_a_token_that_does_not_verify_is_the_error_of_the_token_endpoint(
    live_broker: RunningBroker,
) -> None:
    token = live_broker.github_token()
    answer = explain(live_broker, token[:-6] + "AAAAAA")

    assert answer.status_code == 400
    assert answer.json()["reason"] == "signature_invalid"
    assert explain(live_broker, "x").json()["reason"] == "malformed_token"


def test_a_refused_exchange_names_the_failing_conditions(live_broker: RunningBroker) -> None:
    answer = live_broker.exchange(live_broker.github_token(ref="refs/heads/feature")).json()

    assert answer["reason"] == "no_policy_matched"
    assert [each["claim"] for each in answer["conditions"]] == ["ref"]
