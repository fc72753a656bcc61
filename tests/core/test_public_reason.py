"""What a refused caller may learn, and what only the operator may (contract §5, two levels)."""

from typing import Any

import pytest

from broker.core.conditions import Condition, Equals, Glob
from broker.core.decision import Deny
from broker.core.errors import Reason
from broker.core.holding import visible_to_caller
from tests.core.builders import (
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    an_issuer,
    github_claims,
    other_claims,
    some_conditions,
    the_decision,
)

DENY_ALL = a_deny_policy("no", {})


def refusal(policy_set: Any, claims: Any = None, **request: Any) -> Deny:
    decision = the_decision(policy_set, claims, **request)
    assert isinstance(decision, Deny), decision
    return decision


def test_a_deny_is_told_to_a_caller_whose_tenant_an_allow_names() -> None:
    deny = refusal(a_policy_set(a_policy("web", {"repository": "acme/web"}), DENY_ALL))

    assert deny.reason is deny.public_reason is Reason.DENIED_BY_POLICY


def test_a_deny_is_hidden_when_no_allow_held() -> None:
    deny = refusal(a_policy_set(a_policy("web", {"repository": "acme/other"}), DENY_ALL))

    assert deny.reason is deny.public_reason is Reason.NO_POLICY_MATCHED


def test_a_deny_is_hidden_when_the_allow_that_held_names_no_tenant() -> None:
    require = some_conditions({"repository_owner": "acme"})
    policy_set = a_policy_set(
        a_policy("web", {"ref": "refs/heads/main"}),
        DENY_ALL,
        issuers=[an_issuer("github", require=require)],
    )

    deny = refusal(policy_set)

    assert deny.reason is Reason.DENIED_BY_POLICY
    assert deny.public_reason is Reason.NO_POLICY_MATCHED


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"targets": ("unknown",)}, Reason.TARGET_UNKNOWN),
        ({"targets": ()}, Reason.TARGET_REQUIRED),
        ({"scopes": ("x",)}, Reason.SCOPE_NOT_ALLOWED),
        ({"client_id": "x"}, Reason.NO_POLICY_MATCHED),
    ],
)
def test_what_concerns_the_request_is_told(request_: dict[str, Any], reason: Reason) -> None:
    policy_set = a_policy_set(
        a_policy("web"),
        services=[a_service(), a_service("other")],
        accounts=[an_account(grants={"deploy-api": ["deploy:read"], "other": []})],
    )

    deny = refusal(policy_set, **request_)

    assert deny.reason is deny.public_reason is reason


@pytest.mark.parametrize(
    ("match", "visible"),
    [
        pytest.param({"repository": "acme/web"}, True, id="the caller's repository"),
        pytest.param({"repository": "acme/web", "ref": "x"}, True, id="with a failing branch"),
        pytest.param({"repository": Glob("acme/*")}, True, id="the caller's owner"),
        pytest.param({"repository_owner_id": "123456"}, True, id="the caller's owner id"),
        pytest.param({"sub": "repo:acme/web:ref:refs/heads/main"}, True, id="the caller's sub"),
        pytest.param({"repository": "acme/api"}, False, id="another repository"),
        pytest.param(
            {"repository": "acme/api", "repository_owner": "acme"}, False, id="one tenant of two"
        ),
        pytest.param({"ref": "refs/heads/main"}, False, id="no tenant"),
        pytest.param({}, False, id="no condition"),
        pytest.param({"/repository/x": "acme/web"}, False, id="a pointer"),
    ],
)
def test_a_policy_is_visible_to_the_callers_whose_tenant_it_names(
    match: dict[str, Any], visible: bool
) -> None:
    policy = a_policy("web", match)

    assert visible_to_caller(policy, an_issuer("github"), github_claims()) is visible


def test_without_a_preset_the_tenant_claims_of_the_issuer_decide_what_is_visible() -> None:
    issuer = an_issuer("ci")
    own = a_policy("own", {"organization_id": "acme-1"}, issuer="ci")
    others = a_policy("others", {"organization_id": "acme-2"}, issuer="ci")
    single = an_issuer("ci", tenant=(), single_tenant=True)

    assert visible_to_caller(own, issuer, other_claims())
    assert not visible_to_caller(others, issuer, other_claims())
    assert not visible_to_caller(own, single, other_claims())


def test_what_the_issuer_requires_is_for_the_operator() -> None:
    require = (Condition("repository_owner", Equals("acme")),)
    policy_set = a_policy_set(a_policy("web"), issuers=[an_issuer("github", require=require)])

    deny = refusal(policy_set, github_claims(repository_owner="evil"))

    assert deny.policies == ()
    assert "github" in deny.detail
