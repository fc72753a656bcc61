"""The decision, step by step: issuer, policies, target, deny (contract §4, Decision 2-5)."""

from typing import Any

import pytest

from broker.core.conditions import Condition, Equals, Glob, Not
from broker.core.decision import Decision, Deny, Permit
from broker.core.errors import Reason
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Mode
from tests.core.builders import (
    NOW,
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    an_issuer,
    github_claims,
    gitlab_claims,
    other_claims,
    some_conditions,
    the_decision,
)


def denied(decision: Decision) -> Reason:
    assert isinstance(decision, Deny), decision
    return decision.reason


def permits(decision: Decision) -> bool:
    return isinstance(decision, Permit)


def permitted(decision: Decision) -> Permit:
    assert isinstance(decision, Permit), decision
    return decision


def test_a_policy_that_holds_permits_what_its_account_may_do() -> None:
    permit = permitted(the_decision(a_policy_set(a_policy("web"))))

    assert permit == Permit(
        service=a_service(),
        service_account=an_account(),
        sub="deploy-web",
        scopes=("deploy:read", "deploy:write"),
        ttl=600,
        policies=("web",),
    )


def test_without_a_policy_nothing_is_permitted() -> None:
    assert denied(the_decision(a_policy_set())) is Reason.NO_POLICY_MATCHED


def test_every_condition_of_a_policy_must_hold() -> None:
    policy = a_policy("web", {"repository": "acme/web", "ref": "refs/heads/main"})

    assert permits(the_decision(a_policy_set(policy)))
    on_branch = github_claims(ref="refs/heads/x")
    assert denied(the_decision(a_policy_set(policy), on_branch)) is Reason.NO_POLICY_MATCHED


def test_a_policy_counts_for_the_tokens_of_its_own_issuer_alone() -> None:
    policy = a_policy("web", {"ref": "main"}, issuer="gitlab")
    github = github_claims(ref="main")

    assert permits(the_decision(a_policy_set(policy), gitlab_claims(), issuer="gitlab"))
    assert denied(the_decision(a_policy_set(policy), github)) is Reason.NO_POLICY_MATCHED


def test_what_the_issuer_requires_comes_before_any_policy() -> None:
    require = some_conditions({"repository_owner_id": "123456"})
    issuers = [an_issuer("github", require=require)]
    policy_set = a_policy_set(a_policy("web"), issuers=issuers)

    assert permits(the_decision(policy_set))
    stranger = the_decision(policy_set, github_claims(repository_owner_id="666"))
    assert denied(stranger) is Reason.NO_POLICY_MATCHED
    assert denied(the_decision(policy_set, github_claims(repository_owner_id=...)))


def test_a_required_claim_that_is_absent_refuses_even_under_not() -> None:
    require = some_conditions({"environment": Not(Equals("dev"))})
    policy_set = a_policy_set(a_policy("web"), issuers=[an_issuer("github", require=require)])

    assert denied(the_decision(policy_set)) is Reason.NO_POLICY_MATCHED


def test_an_expired_policy_does_not_hold_from_that_instant_on() -> None:
    policy_set = a_policy_set(a_policy("web", expires_at=NOW))

    assert permits(the_decision(policy_set, now=NOW - 0.001))
    assert denied(the_decision(policy_set, now=NOW)) is Reason.NO_POLICY_MATCHED


def test_an_observed_policy_neither_allows_nor_denies() -> None:
    observed = a_policy("seen", mode=Mode.OBSERVE)
    observed_deny = a_deny_policy("seen-no", mode=Mode.OBSERVE)

    assert denied(the_decision(a_policy_set(observed))) is Reason.NO_POLICY_MATCHED
    assert permits(the_decision(a_policy_set(a_policy("web"), observed_deny)))


def test_the_account_asked_for_must_be_one_that_a_policy_allows() -> None:
    policy_set = a_policy_set(a_policy("web"), accounts=[an_account(), an_account("other")])

    assert permits(the_decision(policy_set, client_id="deploy-web"))
    for client_id in ("other", "unknown", "Deploy-web", ""):
        decision = the_decision(policy_set, client_id=client_id)
        assert denied(decision) is Reason.NO_POLICY_MATCHED


@pytest.mark.parametrize(
    "targets",
    [
        ("deploy-api",),
        ("https://deploy-api.example",),
        ("deploy-api", "https://deploy-api.example"),
        (),
    ],
)
def test_a_service_is_asked_for_by_name_by_audience_by_both_or_not_at_all(
    targets: tuple[str, ...],
) -> None:
    permit = permitted(the_decision(a_policy_set(a_policy("web")), targets=targets))

    assert permit.service.name == "deploy-api"


BOTH = {"deploy-api": ["deploy:read"], "artifacts": []}


@pytest.mark.parametrize(
    "targets",
    [
        pytest.param(("unknown",), id="unknown"),
        pytest.param(("deploy-api", "unknown"), id="one unknown of two"),
        pytest.param(("deploy-api", "artifacts"), id="two services"),
        pytest.param(("Deploy-API",), id="other capitals"),
        pytest.param(("https://deploy-api.example#f",), id="a fragment"),
        pytest.param(("prod-db",), id="a service that the account does not hold"),
    ],
)
def test_anything_but_one_granted_service_is_no_target(targets: tuple[str, ...]) -> None:
    policy_set = a_policy_set(
        a_policy("web"),
        services=[a_service(), a_service("artifacts", scopes={}), a_service("prod-db")],
        accounts=[an_account(grants=BOTH)],
    )

    assert denied(the_decision(policy_set, targets=targets)) is Reason.TARGET_UNKNOWN


def test_a_target_must_be_named_unless_exactly_one_is_granted() -> None:
    services = [a_service(), a_service("artifacts", scopes={})]
    two = a_policy_set(a_policy("web"), services=services, accounts=[an_account(grants=BOTH)])
    none = a_policy_set(a_policy("web"), services=services, accounts=[an_account(grants={})])
    narrowed = a_policy_set(
        a_policy("web", grants={"artifacts": []}),
        services=services,
        accounts=[an_account(grants=BOTH)],
    )

    assert denied(the_decision(two, targets=())) is Reason.TARGET_REQUIRED
    assert denied(the_decision(none, targets=())) is Reason.TARGET_REQUIRED
    assert permitted(the_decision(narrowed, targets=())).service.name == "artifacts"


def test_a_policy_cannot_grant_a_service_that_its_account_does_not_hold() -> None:
    policy_set = a_policy_set(
        a_policy("web", grants={"prod-db": ["db:write"]}),
        services=[a_service(), a_service("prod-db", scopes={"db:write": ""})],
    )

    assert denied(the_decision(policy_set, targets=("deploy-api",))) is Reason.TARGET_UNKNOWN
    for targets in (("prod-db",), ()):
        assert denied(the_decision(policy_set, targets=targets)) is Reason.SCOPE_NOT_ALLOWED


def test_what_a_service_requires_ignores_case_where_the_platform_of_the_token_does() -> None:
    service = a_service(require=(Condition("environment", Equals("Production")),))
    policies = [a_policy("web"), a_policy("ci", {"organization_id": "7"}, issuer="ci")]
    policy_set = a_policy_set(
        *policies, issuers=[an_issuer("github"), an_issuer("ci")], services=[service]
    )

    ours = the_decision(policy_set, github_claims(environment="production"))
    elsewhere = other_claims(organization_id="7", environment="production")
    theirs = the_decision(policy_set, elsewhere, issuer="ci")

    assert isinstance(ours, Permit)
    assert isinstance(theirs, Deny)
    assert theirs.detail == "`require` of deploy-api"


def test_a_service_may_require_more_of_the_token() -> None:
    service = a_service(require=some_conditions({"runner_environment": "github-hosted"}))
    policy_set = a_policy_set(a_policy("web"), services=[service])
    self_hosted = github_claims(runner_environment="self-hosted")

    assert permits(the_decision(policy_set))
    for claims in (self_hosted, github_claims(runner_environment=...)):
        assert denied(the_decision(policy_set, claims)) is Reason.NO_POLICY_MATCHED


@pytest.mark.parametrize(
    "services", [None, frozenset({"deploy-api"}), frozenset({"x", "deploy-api"})]
)
def test_a_deny_policy_overrules_every_allow(services: frozenset[str] | None) -> None:
    no = a_deny_policy("no", {"ref": "refs/heads/main"}, services=services)
    policies = [a_policy("web"), a_policy("again"), no]

    decision = the_decision(a_policy_set(*policies))

    assert denied(decision) is Reason.DENIED_BY_POLICY
    assert isinstance(decision, Deny)
    assert decision.policies == ("no",)


def test_a_deny_policy_leaves_other_services_issuers_and_times_alone() -> None:
    elsewhere = a_deny_policy("a", services=frozenset({"artifacts"}))
    other_issuer = a_deny_policy("b", {"ref": "main"}, issuer="gitlab")
    expired = a_deny_policy("c", expires_at=NOW)
    not_holding = a_deny_policy("d", {"ref": Glob("refs/tags/**")})

    policy_set = a_policy_set(a_policy("web"), elsewhere, other_issuer, expired, not_holding)

    assert permits(the_decision(policy_set))


def test_a_deny_policy_without_conditions_stops_an_issuer() -> None:
    policy_set = a_policy_set(a_policy("web"), a_deny_policy("freeze", {}))

    assert denied(the_decision(policy_set)) is Reason.DENIED_BY_POLICY


@pytest.mark.parametrize("environment", [..., None, "", "dev", ["qa", "dev"], {"a": 1}])
def test_an_absent_claim_does_not_escape_a_deny_with_not(environment: Any) -> None:
    only_prod = a_deny_policy("only-prod", {"environment": Not(Equals("prod"))})
    claims = github_claims(environment=environment)

    decision = the_decision(a_policy_set(a_policy("web"), only_prod), claims)

    assert denied(decision) is Reason.DENIED_BY_POLICY


@pytest.mark.parametrize("event", ["pull_request", "workflow_run", None, ...])
def test_the_guard_keeps_a_policy_from_events_it_does_not_name(event: Any) -> None:
    policy_set = a_policy_set(a_policy("web"))

    decision = the_decision(policy_set, github_claims(event_name=event))

    assert denied(decision) is Reason.NO_POLICY_MATCHED


def test_a_deny_policy_is_under_no_guard() -> None:
    policy = a_policy("web", {"repository": "acme/web", "event_name": "pull_request"})
    no_forks = a_deny_policy("no-forks", {"event_name": Glob("pull_request*")})
    pull_request = github_claims(event_name="pull_request")

    assert permits(the_decision(a_policy_set(policy), pull_request))
    decision = the_decision(a_policy_set(policy, no_forks), pull_request)
    assert denied(decision) is Reason.DENIED_BY_POLICY


def test_an_issuer_without_preset_is_served_too() -> None:
    policy = a_policy("ci", {"organization_id": "acme-1"}, issuer="ci")
    policy_set = a_policy_set(policy, issuers=[an_issuer("ci")])

    assert permits(the_decision(policy_set, other_claims(), issuer="ci"))


def test_a_refusal_names_the_policies_that_held_in_order() -> None:
    policy_set = a_policy_set(a_policy("zeta"), a_policy("alpha"))

    unknown = the_decision(policy_set, targets=("x",))
    permit = permitted(the_decision(policy_set))

    assert isinstance(unknown, Deny)
    assert unknown.policies == permit.policies == ("alpha", "zeta")


def test_an_index_knows_every_claim_that_an_issuer_is_asked_about() -> None:
    policy_set = a_policy_set(
        a_policy("web", {"repository": "acme/web", "/deep/er": "x"}),
        a_deny_policy("seen", {"actor": "x"}, mode=Mode.OBSERVE),
        issuers=[an_issuer("github", require=some_conditions({"ref": "x"})), an_issuer("gitlab")],
        services=[a_service(require=some_conditions({"runner_environment": "x"}))],
    )

    named = IndexedPolicies.of(policy_set).named_claims

    assert named == {
        "github": {"repository", "deep", "actor", "ref", "runner_environment"},
        "gitlab": {"runner_environment"},
    }


def test_observed_policies_that_hold_are_told_and_decide_nothing() -> None:
    policies = [
        a_policy("would-permit", mode=Mode.OBSERVE),
        a_deny_policy("would-deny", {"ref": Not(Equals("x"))}, mode=Mode.OBSERVE),
        a_policy("elsewhere", {"repository_id": "1"}, mode=Mode.OBSERVE),
        a_policy("too-late", mode=Mode.OBSERVE, expires_at=NOW),
        a_policy("enforced"),
        a_deny_policy("gitlab", issuer="gitlab", mode=Mode.OBSERVE),
    ]
    indexed = IndexedPolicies.of(a_policy_set(*policies))
    issuer = an_issuer("github")

    pushed = indexed.observed(issuer, github_claims(), NOW)
    of_outsiders = indexed.observed(issuer, github_claims(event_name="issues"), NOW)

    assert [each.name for each in pushed] == ["would-deny", "would-permit"]
    assert [each.name for each in of_outsiders] == ["would-deny"]
