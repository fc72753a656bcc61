"""Rows 75, 146, 151: several policies that fit one job, and accounts that are off or missing."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.attacks.configuration import problem_of
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

ACCOUNTS = """\
service_accounts:
  reader: {grants: {deploy-api: [deploy:read]}}
  writer: {grants: {deploy-api: [deploy:read, deploy:write]}}
  without: {grants: {broker: ['broker:accounts:read']}}
  writer-off: {grants: {deploy-api: [deploy:read, deploy:write]}, enabled: false}
"""
POLICY = """\
  {name}:
    service_account: {account}
    issuer: github
    match: {{repository_id: {tenant}, {more}}}
"""


def policy(
    name: str, tenant: str, account: str, scope: str = "", more: str = "ref: refs/heads/main"
) -> str:
    text = POLICY.format(name=name, tenant=tenant, account=account, more=more)
    return text + (f"    grants: {{deploy-api: [{scope}]}}\n" if scope else "")


POLICIES = [
    policy("union-read", "union", "writer", "deploy:read"),
    policy("union-write", "union", "writer", "deploy:write", "environment: prod"),
    policy("two-reader", "two", "reader"),
    policy("two-writer", "two", "writer"),
    policy("narrowed-reader", "narrowed", "reader", "deploy:write"),
    policy("narrowed-writer", "narrowed", "writer", "deploy:read"),
    policy("off-reader", "idle", "reader"),
    policy("off-writer", "idle", "writer-off"),
    policy("only-off", "only-off", "writer-off"),
    policy("missing-reader", "missing", "reader"),
    policy("missing-writer", "missing", "m-7f3a", "deploy:write"),
    policy("only-missing", "only-missing", "m-7f3a", "deploy:write"),
    policy("lacking-writer", "lacking", "writer"),
    policy("lacking-without", "lacking", "without", "deploy:read"),
    policy("only-without", "only-without", "without", "deploy:read"),
    policy("as-far-as-held", "held", "reader", '"deploy:*"'),
]


def texts(order: list[int]) -> str:
    return ACCOUNTS + "policies:\n" + "".join(POLICIES[index] for index in order)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(
        tmp_path_factory.mktemp("broker"), texts([*range(len(POLICIES))])
    ) as broker:
        yield broker


def ask(broker: RunningBroker, tenant: str, **asked: str) -> httpx.Response:
    claims = {"environment": "prod"} if tenant == "union" else {}
    return broker.exchange(broker.github_token(repository_id=tenant, **claims), **asked)


def test_the_scopes_of_one_account_add_up(broker: RunningBroker) -> None:
    claims = verified(broker, ask(broker, "union"))

    assert claims["scope"] == "deploy:read deploy:write"
    assert claims["policy"] == "union-read union-write"


def test_those_of_a_policy_that_does_not_hold_do_not(broker: RunningBroker) -> None:
    token = broker.github_token(repository_id="union", environment="test")
    asked = broker.github_token(repository_id="union", environment="test")

    assert verified(broker, broker.exchange(token))["scope"] == "deploy:read"
    assert_refused(broker, broker.exchange(asked, scope="deploy:write"), "scope_not_allowed")


def test_several_accounts_are_a_question_that_lists_them(broker: RunningBroker) -> None:
    answer = ask(broker, "two")

    assert_refused(broker, answer, "ambiguous_account")
    assert answer.json()["service_accounts"] == ["reader", "writer"]


@pytest.mark.parametrize("account", ["reader", "writer"])
def test_which_the_caller_answers_by_client_id(broker: RunningBroker, account: str) -> None:
    claims = verified(broker, ask(broker, "two", client_id=account))

    assert (claims["client_id"], claims["policy"]) == (account, f"two-{account}")


@pytest.mark.parametrize("account", ["deploy-web", "writer-off", "m-7f3a", "nobody", "Writer"])
def test_naming_an_account_that_no_policy_gives_gives_nothing(
    broker: RunningBroker, account: str
) -> None:
    assert_refused(broker, ask(broker, "two", client_id=account), "no_policy_matched")


def test_an_account_that_cannot_give_the_scopes_asked_is_not_in_question(
    broker: RunningBroker,
) -> None:
    assert verified(broker, ask(broker, "two", scope="deploy:write"))["client_id"] == "writer"
    assert_refused(broker, ask(broker, "two", scope="deploy:read"), "ambiguous_account")


@pytest.mark.parametrize("scope", ["deploy:admin", "deploy:read deploy:admin"])
def test_where_none_can_give_them_all_are(broker: RunningBroker, scope: str) -> None:
    assert_refused(broker, ask(broker, "two", scope=scope), "ambiguous_account")


def test_the_scopes_of_two_accounts_never_add_up(broker: RunningBroker) -> None:
    """The reader's policy would give what its account does not hold, the writer's what is asked."""
    answers = [
        ask(broker, "narrowed", client_id="reader", scope="deploy:write"),
        ask(broker, "narrowed", client_id="writer", scope="deploy:write"),
    ]

    for answer in answers:
        assert_refused(broker, answer, "scope_not_allowed")


def test_a_policy_gives_no_more_than_its_account_holds(broker: RunningBroker) -> None:
    assert verified(broker, ask(broker, "held"))["scope"] == "deploy:read"
    assert_refused(broker, ask(broker, "held", scope="deploy:write"), "scope_not_allowed")


# --- accounts that are off or missing -------------------------------------------------------------


@pytest.mark.parametrize(
    ("tenant", "accounts"), [("idle", ["reader", "writer-off"]), ("missing", ["m-7f3a", "reader"])]
)
def test_an_account_that_is_off_does_not_hand_its_place_to_another(
    broker: RunningBroker, tenant: str, accounts: list[str]
) -> None:
    answer = ask(broker, tenant)

    assert_refused(broker, answer, "ambiguous_account")
    assert answer.json()["service_accounts"] == accounts


@pytest.mark.parametrize(
    ("tenant", "asked"),
    [
        ("idle", {"client_id": "writer-off"}),
        ("idle", {"scope": "deploy:write"}),
        ("only-off", {}),
        ("missing", {"client_id": "m-7f3a"}),
        ("missing", {"scope": "deploy:write"}),
        ("only-missing", {}),
    ],
)
def test_chosen_it_refuses(broker: RunningBroker, tenant: str, asked: dict[str, str]) -> None:
    assert_refused(broker, ask(broker, tenant, **asked), "account_disabled")


def test_off_and_missing_are_told_alike(broker: RunningBroker) -> None:
    descriptions = {
        ask(broker, tenant).json()["error_description"].replace(account, "ACCOUNT")
        for tenant, account in (("only-off", "writer-off"), ("only-missing", "m-7f3a"))
    }

    assert len(descriptions) == 1


def test_the_others_account_is_served_when_named(broker: RunningBroker) -> None:
    for tenant in ("idle", "missing"):
        assert verified(broker, ask(broker, tenant, client_id="reader"))["client_id"] == "reader"


def test_a_policy_for_an_account_of_no_file_has_grants_of_its_own() -> None:
    problem = problem_of(
        "issuers:\n  github: {preset: github}\n"
        "services:\n  deploy-api: {audience: 'https://deploy.example.com'}\n"
        "policies:\n  main:\n    service_account: m-7f3a\n    issuer: github\n"
        "    match: {repository_id: 1}\n"
    )

    assert problem.startswith("policies.yaml:7:22: ")
    assert "`grants` of its own" in problem


# --- accounts that lack the service ---------------------------------------------------------------


def test_an_account_that_lacks_the_service_does_not_hand_its_place_to_a_stronger_one(
    broker: RunningBroker,
) -> None:
    answer = ask(broker, "lacking")

    assert_refused(broker, answer, "ambiguous_account")
    assert answer.json()["service_accounts"] == ["without", "writer"]


def test_chosen_it_gives_no_token_without_scopes(broker: RunningBroker) -> None:
    for answer in (ask(broker, "lacking", client_id="without"), ask(broker, "only-without")):
        assert_refused(broker, answer, "scope_not_allowed")
        assert "in common" in answer.json()["error_description"]


# --- order ----------------------------------------------------------------------------------------


def test_the_order_in_which_policies_stand_changes_no_answer(
    broker: RunningBroker, tmp_path: Path
) -> None:
    asked: list[tuple[str, dict[str, str]]] = [
        (tenant, request)
        for tenant in ("union", "two", "narrowed", "idle", "missing", "lacking", "held")
        for request in ({}, {"scope": "deploy:write"}, {"client_id": "reader"})
    ]

    with special_broker(tmp_path, texts([*reversed(range(len(POLICIES)))])) as reverse:
        for tenant, request in asked:
            first, second = (
                _decision(ask(each, tenant, **request).json()) for each in (broker, reverse)
            )
            assert first == second


def _decision(body: dict[str, object]) -> dict[str, object]:
    kept = ("reason", "scope", "service_account", "service_accounts", "expires_in")
    return {name: body[name] for name in kept if name in body}
