"""Row 115: more scope than the policies and the account have."""

import pytest

from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified

TEN_THOUSAND = " ".join(f"s{number % 10}" for number in range(10_000))


@pytest.mark.parametrize(
    "scope",
    [
        "admin",
        "deploy:read admin",
        "admin deploy:read",
        "artifacts:read",
        "artifacts:write",
        "billing:read",
        "broker:accounts:write",
        "*",
        "deploy:*",
        "deploy:read *",
        "deploy:rea?",
        "Deploy:Read",
        "deploy:read,deploy:write",
        "deploy:read  deploy:write",
        " deploy:read",
        "deploy:read ",
        "deploy:read\nadmin",
        "deploy:read\r\nadmin",
        "deploy:read\tadmin",
        "deploy:read\u00a0admin",
        "deploy:read\u0000",
        "dep\u043eoy:read",
        'deploy:read" "admin',
        "deploy:read\\",
        TEN_THOUSAND,
        "s" * 50_000,
    ],
    ids=lambda scope: repr(scope[:24]),
)
@pytest.mark.parametrize("grant", ["exchange", "jwt_bearer"])
def test_a_scope_that_is_not_available_is_refused(
    live_broker: RunningBroker, grant: str, scope: str
) -> None:
    answer = getattr(live_broker, grant)(live_broker.github_token(), scope=scope)

    assert_refused(live_broker, answer, "scope_not_allowed")


def test_what_is_asked_for_is_not_widened(live_broker: RunningBroker) -> None:
    answer = live_broker.exchange(live_broker.github_token(), scope="deploy:read")

    assert verified(live_broker, answer)["scope"] == "deploy:read"


def test_nothing_asked_for_is_all_that_is_available(live_broker: RunningBroker) -> None:
    for scope in (None, ""):
        answer = live_broker.exchange(live_broker.github_token(), scope=scope)
        assert verified(live_broker, answer)["scope"] == "deploy:read deploy:write"


def test_a_scope_asked_for_twice_is_granted_once(live_broker: RunningBroker) -> None:
    answer = live_broker.exchange(live_broker.github_token(), scope="deploy:read deploy:read")

    assert verified(live_broker, answer)["scope"] == "deploy:read"


def test_a_policy_that_narrows_its_account_is_not_stepped_over(live_broker: RunningBroker) -> None:
    def token() -> str:
        return live_broker.buildkite.token(
            {"sub": "organization:octo", "organization_id": "7b9a3c52-0000-4000-8000-000000000001"},
            audience="https://broker.example",
        )

    assert_refused(
        live_broker, live_broker.exchange(token(), scope="deploy:write"), "scope_not_allowed"
    )
    assert verified(live_broker, live_broker.exchange(token()))["scope"] == "deploy:read"


@pytest.mark.parametrize(
    "form", ["scope=deploy:read&scope=admin", "scope=deploy:read&scope=deploy:read"]
)
def test_scope_stands_once(live_broker: RunningBroker, form: str) -> None:
    answer = live_broker.request(
        "POST",
        "/oauth/token",
        content=f"grant_type=x&{form}",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )

    assert_refused(live_broker, answer, "malformed_request")
