"""What an explanation says to an operator: the decision, the candidates, their conditions."""

import json
from datetime import UTC, datetime

import pytest

from broker.core.conditions import Condition, Equals
from broker.core.decision import Permit
from broker.core.policy import Mode, Policy
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
)
from tests.core.explain_cases import (
    conditions_of,
    excluding,
    explained,
    failing,
    glob,
    no_preset_policy,
    present,
    regex,
    requiring,
    web_policy,
)

TRUSTED_EVENTS = [
    "create", "delete", "deployment", "merge_group", "push",
    "release", "repository_dispatch", "schedule", "workflow_dispatch",
]  # fmt: skip


def test_the_json_of_a_permit_has_exactly_the_members_of_the_contract() -> None:
    explanation = explained(web_policy())

    assert explanation.as_json() == {
        "decision": "permit",
        "reason": None,
        "service_account": "deploy-web",
        "sub": "deploy-web",
        "audience": "https://deploy-api.example",
        "scopes": ["deploy:read", "deploy:write"],
        "ttl": 600,
        "candidates": [
            {
                "policy": "web-production",
                "effect": "allow",
                "service_account": "deploy-web",
                "holds": True,
                "conditions": [
                    {
                        "claim": "repository_id",
                        "operator": "equals",
                        "expected": "456789",
                        "got": "456789",
                        "holds": True,
                    },
                    {
                        "claim": "event_name",
                        "operator": "guard",
                        "expected": TRUSTED_EVENTS,
                        "got": "push",
                        "holds": True,
                    },
                ],
            }
        ],
    }


def test_the_json_of_a_deny_has_nothing_granted_and_a_fix() -> None:
    explanation = explained(web_policy(ref="refs/heads/dev"))

    members = explanation.as_json()
    granted = ("service_account", "sub", "audience", "scopes", "ttl")
    assert [members[name] for name in granted] == [None] * 5
    assert (members["decision"], members["reason"]) == ("deny", "no_policy_matched")
    assert members["fix"] == explanation.fix
    assert json.loads(json.dumps(members)) == members


def test_every_operator_is_shown_as_the_policy_file_has_it() -> None:
    policy = web_policy(
        ref=["refs/heads/main", glob("refs/heads/release/*"), regex("refs/tags/v[0-9]+")],
        sub=glob("repo:acme/web:**"),
        sha=regex("[0-9a-f]{40}"),
        environment=present(),
        actor_id=excluding("1", glob("2*")),
        workflow=excluding("test"),
    )

    (candidate,) = explained(policy).candidates

    shown = conditions_of(candidate)
    del shown["guard event_name"]
    sha = github_claims()["sha"]
    assert shown == {
        "equals repository_id": ("456789", "456789", True),
        "any_of ref": (
            ["refs/heads/main", {"glob": "refs/heads/release/*"}, {"regex": "refs/tags/v[0-9]+"}],
            "refs/heads/main",
            True,
        ),
        "glob sub": ("repo:acme/web:**", "repo:acme/web:ref:refs/heads/main", True),
        "regex sha": ("[0-9a-f]{40}", sha, True),
        "present environment": (True, None, False),
        "not actor_id": (["1", {"glob": "2*"}], "583231", True),
        "not workflow": ("test", "deploy", True),
    }


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ("x", "x"),
        ("", None),
        (None, None),
        (7, "7"),
        (True, "true"),
        (1.5, 1.5),
        ([], []),
        (["a", 1], ["a", 1]),
        ({"a": 1}, {"a": 1}),
    ],
)
def test_got_is_the_compared_text_and_null_when_absent(value: object, got: object) -> None:
    (candidate,) = explained(web_policy(custom="y"), github_claims(custom=value)).candidates

    assert conditions_of(candidate)["equals custom"] == ("y", got, False)


def test_a_pointer_shows_what_it_points_to() -> None:
    policies = no_preset_policy(match={"organization_id": "acme-1", "/k8s/namespace": "web"})
    claims = other_claims(k8s={"namespace": "api"})

    (candidate,) = explained(policies, claims, issuer="ci").candidates

    assert conditions_of(candidate) == {
        "equals organization_id": ("acme-1", "acme-1", True),
        "equals /k8s/namespace": ("web", "api", False),
    }


def test_the_guard_names_the_trusted_events_and_those_that_the_policy_names() -> None:
    policy = web_policy(event_name=["pull_request", glob("push*")])

    (candidate,) = explained(policy, github_claims(event_name="issues")).candidates

    expected = sorted([*TRUSTED_EVENTS, "pull_request"])
    assert conditions_of(candidate)["guard event_name"] == (expected, "issues", False)


def test_an_issuer_without_preset_has_no_guard() -> None:
    policies = no_preset_policy(match={"organization_id": "acme-1"})

    explanation = explained(policies, other_claims(), issuer="ci")

    assert explanation.decision == "permit"
    assert list(conditions_of(explanation.candidates[0])) == ["equals organization_id"]


def test_what_issuer_and_service_require_is_shown_beside_the_conditions() -> None:
    policies = a_policy_set(
        web_policy(),
        issuers=[an_issuer(require=requiring(repository_owner_id="123456"))],
        services=[a_service(require=requiring(runner_environment=excluding("self-hosted")))],
    )

    explanation = explained(policies, github_claims(runner_environment="self-hosted"))

    (candidate,) = explanation.candidates
    shown = conditions_of(candidate)
    assert candidate.holds
    assert explanation.reason == "no_policy_matched"
    assert shown["require repository_owner_id"] == ("123456", "123456", True)
    assert shown["require runner_environment"] == ({"not": "self-hosted"}, "self-hosted", False)


def test_what_a_service_requires_is_shown_as_it_is_decided_with_the_case_that_counts() -> None:
    service = a_service(require=(Condition("environment", Equals("Production")),))
    policies = a_policy_set(web_policy(), services=[service])

    explanation = explained(policies, github_claims(environment="production"))

    shown = conditions_of(explanation.candidates[0])
    assert explanation.decision == "permit"
    assert shown["require environment"] == ("Production", "production", True)


def test_the_require_of_another_service_is_not_shown() -> None:
    strict = a_service("vault", require=requiring(environment="production"))
    policies = a_policy_set(web_policy(), services=[a_service(), strict])

    (candidate,) = explained(policies, targets=("vault",)).candidates

    assert "require environment" not in conditions_of(candidate)


def test_with_no_target_asked_the_only_service_that_a_policy_reaches_is_meant() -> None:
    service = a_service(require=requiring(environment="production"))
    policies = a_policy_set(web_policy(), services=[service])

    (candidate,) = explained(policies, targets=()).candidates

    assert failing(candidate) == ["require environment"]


def test_a_deny_policy_is_shown_without_guard_and_require() -> None:
    policies = a_policy_set(
        web_policy(event_name="pull_request"),
        a_deny_policy("no-forks", {"event_name": glob("pull_request*")}),
        issuers=[an_issuer(require=requiring(repository_owner_id="123456"))],
    )

    explanation = explained(policies, github_claims(event_name="pull_request"))

    deny, allow = explanation.candidates
    assert explanation.reason == "denied_by_policy"
    assert (deny.policy.name, allow.policy.name) == ("no-forks", "web-production")
    assert conditions_of(deny) == {"glob event_name": ("pull_request*", "pull_request", True)}
    assert deny.as_json()["service_account"] is None


def test_an_absent_claim_holds_under_not_in_a_deny_policy_only() -> None:
    match = {"repository_id": "456789", "environment": excluding("production")}

    explanation = explained([a_policy("allow", match), a_deny_policy("deny", match)])

    holds = {
        candidate.policy.name: conditions_of(candidate)["not environment"][2]
        for candidate in explanation.candidates
    }
    assert holds == {"allow": False, "deny": True}


def test_an_expired_policy_does_not_hold_though_its_conditions_do() -> None:
    expired = a_policy(expires_at=datetime(2026, 1, 1, tzinfo=UTC).timestamp())

    (candidate,) = explained(expired).candidates

    assert (candidate.holds, candidate.expired, failing(candidate)) == (False, True, [])


def test_claims_without_exp_are_those_of_a_token_just_made() -> None:
    policy = a_policy("web", {"project_id": "4242"}, issuer="gitlab")

    for expires in (..., "soon", True):
        explanation = explained(policy, gitlab_claims(exp=expires), issuer="gitlab")

        assert (explanation.decision, explanation.ttl) == ("permit", 600)


def test_the_remaining_life_of_the_token_counts_when_it_is_there() -> None:
    policy = a_policy("web", {"project_id": "4242"}, issuer="gitlab")

    explanation = explained(policy, gitlab_claims(exp=NOW + 400.5), issuer="gitlab")

    assert explanation.ttl == 400


def test_an_observed_policy_is_no_candidate() -> None:
    explanation = explained([a_policy("observed", mode=Mode.OBSERVE), web_policy(ref="x")])

    assert [each.policy.name for each in explanation.candidates] == ["web-production"]


def test_the_nearest_comes_first() -> None:
    policies = [
        a_policy("c-two-fail", {"repository": "acme/web", "ref": "x", "environment": "y"}),
        a_policy("b-one-fails", {"repository": "acme/web", "ref": "x"}),
        a_policy("a-other-repository", {"repository": "acme/site"}),
        a_policy("d-holds", {"repository": "acme/web"}),
    ]

    explanation = explained(policies)

    names = [each.policy.name for each in explanation.candidates]
    assert names == ["d-holds", "b-one-fails", "c-two-fail", "a-other-repository"]


def test_a_policy_of_the_same_tenant_is_nearer_than_one_of_another_with_less_that_fails() -> None:
    policies = [
        a_policy("other", {"repository": "acme/site"}),
        a_policy("other-by-sub", {"sub": "repo:acme/site:ref:refs/heads/main"}),
        a_policy("half", {"repository_id": "456789", "repository": "acme/old", "ref": "x"}),
        a_policy("half-by-sub", {"sub": "repo:acme/web:environment:production", "ref": "x"}),
        a_policy("same", {"repository": "acme/web", "ref": "x", "sha": "y", "workflow": "z"}),
        a_deny_policy("no-holds", {"event_name": "push"}, services=frozenset({"vault"})),
        a_deny_policy("no", {"event_name": "issues"}),
    ]

    explanation = explained(policies)

    names = [each.policy.name for each in explanation.candidates]
    assert names == ["same", "half", "half-by-sub", "no-holds", "other", "other-by-sub", "no"]


def test_a_policy_for_another_account_or_service_is_less_near() -> None:
    accounts = [an_account(), an_account("other"), an_account("vault-web", {"vault": []})]
    services = [a_service(), a_service("vault", scopes={})]
    policies = [
        a_policy("a-account", {"repository": "acme/web"}, service_account="other"),
        a_policy("b-both", {"repository": "acme/web"}, service_account="vault-web"),
        a_policy("c-right", {"repository": "acme/web", "ref": "x"}),
        a_policy("d-unknown", {"repository": "acme/web"}, service_account="gone"),
    ]
    policy_set = a_policy_set(*policies, accounts=accounts, services=services)

    explanation = explained(policy_set, client_id="deploy-web")

    candidates = {each.policy.name: each for each in explanation.candidates}
    assert list(candidates) == ["a-account", "c-right", "b-both", "d-unknown"]
    assert candidates["a-account"].other_account
    assert not candidates["a-account"].other_service
    assert candidates["b-both"].obstacles == 2
    assert candidates["c-right"].obstacles == 1


def test_at_most_twenty_candidates_are_shown_unless_all_are_asked_for() -> None:
    policies = [a_policy(f"p{number:02}", {"repository": "acme/site"}) for number in range(30)]

    nearest = explained(policies).candidates
    everything = explained(policies, everything=True).candidates

    assert [each.policy.name for each in nearest] == [f"p{number:02}" for number in range(20)]
    assert len(everything) == 30


def test_the_order_of_files_does_not_matter() -> None:
    policies = [
        a_policy(f"p{number}", {"repository": "acme/web", "ref": f"refs/heads/{number % 3}"})
        for number in range(150)
    ]

    forwards, backwards = explained(policies), explained(policies[::-1])

    assert forwards.as_json() == backwards.as_json()


def test_the_decision_part_is_that_of_the_decision() -> None:
    explanation = explained(web_policy())

    decision = explanation.case.decision
    assert isinstance(decision, Permit)
    assert explanation.scopes == decision.scopes


def test_a_policy_without_tenant_conditions_counts_as_near() -> None:
    issuer = an_issuer("ci", tenant=(), single_tenant=True)
    far = Policy("a-far", "ci", (Condition("x", Equals("1")), Condition("y", Equals("2"))))
    near = Policy("b-near", "ci", (Condition("x", Equals("1")),))
    policies = a_policy_set(far, near, issuers=[issuer])

    explanation = explained(policies, other_claims(), issuer="ci")

    assert [each.policy.name for each in explanation.candidates] == ["b-near", "a-far"]
