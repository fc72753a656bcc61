"""Client credentials: a secret in, a token for a part of what its account is granted out."""

from typing import Any
from urllib.parse import quote_plus

import pytest

from broker.core.blocks import NO_BLOCKS
from broker.core.client import decide, describe
from broker.core.decision import DecisionRequest, Deny
from broker.core.policy import PolicySet, ServiceAccount
from tests.client_secrets import an_account, ask, basic_header, change, give, give_to_file_account
from tests.client_secrets import revoke as revoke_secrets
from tests.running_broker import NOW, POLICIES, RunningBroker
from tests.service_tokens import verified

ARTIFACTS = "https://artifacts.example.com"


def event_of(broker: RunningBroker, member: str, value: str) -> dict[str, Any]:
    [event] = [each for each in broker.events() if each[member] == value]
    return event


def test_a_secret_gets_a_token_of_its_account(live_broker: RunningBroker) -> None:
    account = an_account(metadata={"team": "ops"})
    secret = give(live_broker, account)
    claims = verified(live_broker, ask(live_broker, account.client_id, secret))

    assert claims["sub"] == claims["client_id"] == account.client_id
    assert claims["scope"] == "deploy:read deploy:write"
    assert claims["metadata"] == {"team": "ops"}
    assert "org_id" not in claims
    assert claims["exp"] - claims["iat"] == 600
    assert "act" not in claims
    assert "workload" not in claims
    assert "policy" not in claims


def test_the_event_names_account_and_secret_but_not_the_secret_itself(
    live_broker: RunningBroker,
) -> None:
    account = an_account()
    secret = give(live_broker, account, secret_id="the-secret-id")
    answer = ask(live_broker, account.client_id, secret, scope="deploy:read")
    event = event_of(live_broker, "token_id", answer.json()["token_id"])

    assert (event["type"], event["outcome"]) == ("token.issued", "success")
    assert event["service_account"] == event["sub"] == account.client_id
    assert event["scopes"] == ["deploy:read"]
    assert event["actor"] == "secret the-secret-id"
    assert secret not in str(live_broker.events())
    assert "refresh_token" not in answer.json()


def test_less_may_be_asked_for_and_never_more(live_broker: RunningBroker) -> None:
    account = an_account(ttl=300, max_ttl=1200)
    secret = give(live_broker, account)

    def asked(**form: Any) -> Any:
        return ask(live_broker, account.client_id, secret, **form)

    assert verified(live_broker, asked(scope="deploy:read"))["scope"] == "deploy:read"
    assert asked().json()["expires_in"] == 300
    assert asked(expires_in="60").json()["expires_in"] == 60
    assert asked(expires_in="86400").json()["expires_in"] == 1200
    claims = verified(live_broker, asked(audience=ARTIFACTS), audience=ARTIFACTS)
    assert claims["scope"] == "artifacts:read artifacts:write"


@pytest.mark.parametrize(
    ("form", "error", "reason"),
    [
        ({"audience": None}, "invalid_target", "target_required"),
        ({"audience": "billing"}, "invalid_target", "target_unknown"),
        ({"audience": "no-such"}, "invalid_target", "target_unknown"),
        ({"audience": ["deploy-api", "artifacts"]}, "invalid_target", "target_unknown"),
        ({"audience": ["deploy-api", "no-such"]}, "invalid_target", "target_unknown"),
        ({"scope": "billing:read"}, "invalid_scope", "scope_not_allowed"),
        ({"scope": "deploy:*"}, "invalid_scope", "scope_not_allowed"),
    ],
)
def test_what_is_not_granted_is_refused_and_recorded(
    live_broker: RunningBroker, form: dict[str, Any], error: str, reason: str
) -> None:
    account = an_account()
    answer = ask(live_broker, account.client_id, give(live_broker, account), **form)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.json()["reason"] == reason
    if reason != "scope_not_allowed" or "*" not in form["scope"]:
        event = event_of(live_broker, "id", answer.json()["decision_id"])
        assert event["reason"] == reason
        assert event["service_account"] == account.client_id


def test_an_account_with_one_service_need_not_name_it(live_broker: RunningBroker) -> None:
    account = an_account(grants={"artifacts": ()})
    answer = ask(live_broker, account.client_id, give(live_broker, account), audience=None)

    assert answer.status_code == 200
    assert "scope" not in answer.json()


@pytest.mark.parametrize("encoded", [True, False])
def test_basic_credentials_may_be_encoded_or_not(live_broker: RunningBroker, encoded: bool) -> None:
    account = an_account()
    secret = give(live_broker, account)
    if encoded:
        escaped = "".join(f"%{ord(each):02X}" for each in secret)
        header = basic_header(quote_plus(account.client_id), escaped)
    else:
        header = basic_header(account.client_id, secret)
    form = {"grant_type": "client_credentials", "audience": "deploy-api"}

    verified(live_broker, live_broker.post(form, headers=header))
    same_id = form | {"client_id": account.client_id}
    verified(live_broker, live_broker.post(same_id, headers=header))
    other_id = live_broker.post(form | {"client_id": "other"}, headers=header)
    assert (other_id.status_code, other_id.json()["error"]) == (400, "invalid_request")


def test_without_credentials_the_grant_is_challenged(live_broker: RunningBroker) -> None:
    form = {"grant_type": "client_credentials", "audience": "deploy-api"}
    for headers in ({}, {"authorization": "Basic Og=="}):
        answer = live_broker.post(form, headers=headers)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic")
        assert answer.json()["error"] == "invalid_client"


def test_the_same_members_as_json_are_served(live_broker: RunningBroker) -> None:
    account = an_account()
    members = {
        "grant_type": "client_credentials",
        "client_id": account.client_id,
        "client_secret": give(live_broker, account),
        "audience": "deploy-api",
        "expires_in": 60,
    }
    answer = live_broker.request("POST", "/api/v1/auth/token", json=members)

    assert verified(live_broker, answer)["client_id"] == account.client_id


def test_whatever_is_wrong_with_a_client_looks_the_same(live_broker: RunningBroker) -> None:
    good = an_account()
    secret = give(live_broker, good)
    off = an_account(enabled=False)
    over = an_account(expires_at=NOW)
    gone = an_account(deleted_at=NOW)
    forbidden = an_account(secrets_allowed=False)
    elsewhere = an_account(allowed_networks=("192.0.2.0/24",))
    asked = {
        "unknown id": ("nobody", secret),
        "another's secret": (off.client_id, secret),
        "wrong secret": (good.client_id, give(live_broker, off)),
        "mistyped": (good.client_id, secret[:-1] + ("a" if secret[-1] != "a" else "b")),
        "empty": (good.client_id, "x"),
        "disabled": (off.client_id, give(live_broker, off)),
        "expired": (over.client_id, give(live_broker, over)),
        "deleted": (gone.client_id, give(live_broker, gone)),
        "forbidden": (forbidden.client_id, give(live_broker, forbidden)),
        "secret expired": (good.client_id, give(live_broker, good, expires_at=NOW)),
        "incarnation": (good.client_id, give(live_broker, good, incarnation="of before")),
        "network": (elsewhere.client_id, give(live_broker, elsewhere)),
        "federated only": ("deploy-web", give_to_file_account(live_broker, "deploy-web")),
    }
    answers = {name: ask(live_broker, *each) for name, each in asked.items()}

    assert {each.status_code for each in answers.values()} == {400}
    assert len({each.text for each in answers.values()}) == 1
    assert answers["disabled"].json()["reason"] == "client_unknown_or_bad_secret"
    verified(live_broker, ask(live_broker, good.client_id, secret))


def test_a_file_account_may_have_secrets_where_the_file_says_so(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    allowed = POLICIES.replace("    metadata: {{team: web}}", "    secrets: allowed")
    folder = tmp_path_factory.mktemp("broker")
    with RunningBroker(folder, allowed).serving() as broker:
        secret = give_to_file_account(broker, "deploy-web")

        verified(broker, ask(broker, "deploy-web", secret))


def test_what_is_taken_back_grants_nothing_any_more(own_broker: RunningBroker) -> None:
    account = an_account()
    first = give(own_broker, account, secret_id="first")
    second = give(own_broker, account, secret_id="second")
    verified(own_broker, ask(own_broker, account.client_id, first))

    revoke_secrets(own_broker, "first")
    assert ask(own_broker, account.client_id, first).status_code == 400
    verified(own_broker, ask(own_broker, account.client_id, second))
    change(own_broker, account, enabled=False)
    assert ask(own_broker, account.client_id, second).status_code == 400


def test_a_good_secret_beside_a_ci_token_changes_nothing(live_broker: RunningBroker) -> None:
    account = an_account()
    secret = give(live_broker, account)
    answer = live_broker.exchange(
        live_broker.github_token(), headers=basic_header(account.client_id, secret)
    )

    assert verified(live_broker, answer)["client_id"] == "deploy-web"


def test_an_account_of_instances_has_no_secret_of_its_own() -> None:
    account = ServiceAccount("repo-ci", {}, instances=("repository_id",))
    deny = decide(account, DecisionRequest(), PolicySet({}, {}, {}, {}), NO_BLOCKS, 0)

    assert isinstance(deny, Deny)
    assert deny.reason == "grant_not_allowed"
    assert "repository_id" in describe(deny, DecisionRequest(), account)
