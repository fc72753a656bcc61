"""A service's own claims are filled in whole, or there is no token (attacks rows 130, 131, 169)."""

from collections.abc import Mapping
from typing import Any

import pytest

from broker.core.access_token import claims_for
from broker.core.conditions import Glob
from broker.core.decision import Decision, Deny, Permit
from broker.core.errors import Reason
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import PolicySet, Service
from tests.core.builders import (
    BROKER,
    NOW,
    a_deny_policy,
    a_policy,
    a_policy_set,
    an_account,
    an_issuer,
    github_claims,
    gitlab_claims,
    other_claims,
    the_decision,
)
from tests.core.shaped_services import a_shaped_service

PINNED = {"repository": "acme/web", "repository_owner": ["acme", "other"]}


def decided(
    service: Service,
    match: Mapping[str, Any] | None = None,
    *,
    account: Mapping[str, Any] | None = None,
    **claims: Any,
) -> Decision:
    policy = a_policy("web", PINNED if match is None else match)
    policy_set = a_policy_set(policy, services=[service], accounts=[an_account(**account or {})])
    return the_decision(policy_set, github_claims(**claims))


def filled(template: Any, match: Mapping[str, Any] | None = None, **more: Any) -> Any:
    decision = decided(a_shaped_service({"groups": template}), match, **more)
    assert isinstance(decision, Permit), decision
    assert decision.claims is not None
    return decision.claims["groups"]


def refused(template: str, match: Mapping[str, Any] | None = None, **more: Any) -> Deny:
    decision = decided(a_shaped_service({"groups": ["ok", template]}), match, **more)
    assert isinstance(decision, Deny), decision
    assert decision.reason is decision.public_reason is Reason.CLAIM_INVALID
    assert decision.policies == ("web",)
    assert decision.template is not None
    assert decision.template.template == template
    assert decision.template.place == "claims.groups"
    assert template in decision.detail
    return decision


def test_a_service_without_templates_has_no_shape_and_its_permits_no_claims() -> None:
    service = a_shaped_service()
    decision = decided(service)

    assert service.shape is None
    assert isinstance(decision, Permit)
    assert decision.claims is None


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("ci", "ci"),
        ("{service_account}", "deploy-web"),
        ("{sub}", "deploy-web"),
        ("{organization}:x", "acme:x"),
        ("team:{metadata.team}", "team:web"),
        ("{metadata.tier}", "1"),
        ("{metadata.live}", "true"),
        ("{metadata.image}", "acme/web"),
        ("{workload.repository_id}", "456789"),
        ("{workload.repository}", "acme/web"),
        ("{workload.repository_owner}", "acme"),
        (["a", "{sub}", "b:{sub}"], ["a", "deploy-web", "b:deploy-web"]),
        (
            [{"type": "repository", "name": "{metadata.image}", "actions": ["pull", "{sub}"]}],
            [{"type": "repository", "name": "acme/web", "actions": ["pull", "deploy-web"]}],
        ),
    ],
)
def test_a_template_is_filled_in_with_what_the_broker_knows(template: Any, value: Any) -> None:
    metadata = {"team": "web", "tier": 1, "live": True, "image": "acme/web"}
    account = {"metadata": metadata, "organization": "acme"}

    assert filled(template, account=account) == value


def test_an_identity_of_an_account_with_instances_is_named_whole() -> None:
    account = {"instances": ("repository_id",)}

    assert filled("{sub}", account=account) == "deploy-web:repository_id:456789"
    assert filled("{service_account}", account=account) == "deploy-web"


def test_a_claim_that_ignores_case_is_in_lower_case() -> None:
    assert filled("{workload.repository}", repository="Acme/WEB") == "acme/web"
    assert filled("{workload.ref_type}", {"repository": "acme/web", "ref_type": "Tag"},
                  ref_type="Tag") == "Tag"  # fmt: skip


def test_a_member_of_the_workload_is_the_claim_that_the_platform_calls_otherwise() -> None:
    service = a_shaped_service(
        {"groups": ["{workload.repository_id}", "{workload.repository}", "{workload.project_id}"]}
    )
    policy = a_policy("web", {"project_path": "acme/platform/web"}, issuer="gitlab")
    policy_set = a_policy_set(policy, services=[service])

    decision = the_decision(policy_set, gitlab_claims(), issuer="gitlab")

    assert isinstance(decision, Permit)
    assert decision.claims == {"groups": ["4242", "acme/platform/web", "4242"]}


def test_an_issuer_without_preset_says_what_its_policy_pins() -> None:
    service = a_shaped_service({"groups": "org:{workload.organization_id}"})
    policy = a_policy("web", {"organization_id": "acme-1"}, issuer="ci")
    policy_set = a_policy_set(policy, services=[service], issuers=[an_issuer("ci")])

    decision = the_decision(policy_set, other_claims(), issuer="ci")

    assert isinstance(decision, Permit)
    assert decision.claims == {"groups": "org:acme-1"}


@pytest.mark.parametrize("value", ["acme-1/x", "a:b", "..", "é"])
def test_an_issuer_without_preset_has_no_claims_that_are_paths(value: str) -> None:
    service = a_shaped_service({"groups": "org:{workload.organization_id}"})
    policy = a_policy("web", {"organization_id": value}, issuer="ci")
    policy_set = a_policy_set(policy, services=[service], issuers=[an_issuer("ci")])

    decision = the_decision(policy_set, other_claims(organization_id=value), issuer="ci")

    assert isinstance(decision, Deny)
    assert decision.reason is Reason.CLAIM_INVALID


def test_one_policy_that_pins_a_claim_is_enough_where_several_permit() -> None:
    service = a_shaped_service({"groups": "{workload.ref_type}"})
    policies = [
        a_policy("a", {"repository_id": "456789"}),
        a_policy("b", {"repository_id": "456789", "ref_type": "branch"}),
    ]

    decision = the_decision(a_policy_set(*policies, services=[service]))

    assert isinstance(decision, Permit)
    assert decision.claims == {"groups": "branch"}


def test_a_policy_for_another_account_pins_nothing() -> None:
    service = a_shaped_service({"groups": "{workload.ref_type}"})
    accounts = [an_account(), an_account("other")]
    policies = [
        a_policy("a", {"repository_id": "456789"}),
        a_policy("b", {"repository_id": "456789", "ref_type": "branch"}, service_account="other"),
    ]

    decision = the_decision(
        a_policy_set(*policies, services=[service], accounts=accounts), client_id="deploy-web"
    )

    assert isinstance(decision, Deny)
    assert decision.reason is Reason.CLAIM_INVALID


@pytest.mark.parametrize(
    ("ref", "condition"),
    [
        ("refs/heads/main", {}),
        ("refs/heads/main", {"ref": Glob("refs/heads/*")}),
        ("refs/heads/main", {"ref": ["refs/heads/main", Glob("refs/tags/*")]}),
        ({"x": "main"}, {"/ref/x": "main"}),
    ],
)
def test_a_claim_that_a_job_could_choose_is_refused(ref: Any, condition: dict[str, Any]) -> None:
    deny = refused("{workload.ref}", {"repository_id": "456789", **condition}, ref=ref)

    assert deny.template is not None
    assert "pins it" in deny.template.problem
    assert "pin ref to a literal" in deny.template.fix


@pytest.mark.parametrize("claim", ["sha", "run_id", "actor_id", "repository_idd", "sub", "iss"])
def test_what_is_no_immutable_id_needs_a_literal(claim: str) -> None:
    refused("{workload." + claim + "}")


def test_an_immutable_id_that_the_token_has_not_is_refused() -> None:
    deny = refused("{workload.environment_node_id}")

    assert deny.template is not None
    assert deny.template.problem == "the token has no environment_node_id"


@pytest.mark.parametrize(
    "value",
    [..., None, "", [], {}, 1.5],
    ids=["absent", "null", "empty", "list", "object", "float"],
)
def test_metadata_that_is_not_there_is_refused(value: Any) -> None:
    metadata = {"team": value, "other": "x"} if value is not ... else {"other": "x"}
    deny = refused("team:{metadata.team}", account={"metadata": metadata})

    assert deny.template is not None
    assert deny.template.problem == "service account deploy-web has no metadata team"
    assert deny.template.fix == "set metadata.team of service account deploy-web"


HOSTILE = [
    "a:b", "*", "a,b", "a b", "{metadata.x}", "{sub}", "a\nb", "a\n", "é", "\u212a", '"', "\\",
    "..", "a/../b", "/a", "a/", "a//b", "a" * 101,
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_of_another_form_is_refused_and_never_escaped(value: str) -> None:
    deny = refused("team:{metadata.team}", account={"metadata": {"team": value}})

    assert deny.template is not None
    assert "does not fit" in deny.template.problem
    assert deny.detail.isascii()
    assert deny.detail.isprintable()


@pytest.mark.parametrize("value", HOSTILE)
def test_what_a_token_says_is_held_to_the_same_form(value: str) -> None:
    refused("x:{workload.repository_id}", {"repository": "acme/web"}, repository_id=value)
    refused("x:{workload.ref_type}", {"repository": "acme/web", "ref_type": value}, ref_type=value)


def test_a_path_is_no_value_of_an_id() -> None:
    refused("x:{workload.repository_id}", repository_id="1/2")


def test_an_account_without_organization_is_refused_where_it_is_named() -> None:
    deny = refused("{organization}")

    assert deny.template is not None
    assert "has no organization" in deny.template.problem


def test_a_text_that_grows_too_long_is_refused_and_never_cut() -> None:
    long = "/".join(["a" * 100, "b" * 100])
    assert len(filled("{metadata.team}" + "c" * 55, account={"metadata": {"team": long}})) == 256

    deny = refused("{metadata.team}" + "c" * 56, account={"metadata": {"team": long}})

    assert deny.template is not None
    assert deny.template.problem == "it would be longer than 256 characters"


def test_session_tags_are_what_aws_reads() -> None:
    service = a_shaped_service(
        None,
        {"team": "{metadata.team}", "repository": "{workload.repository_id}"},
        transitive_tags=("team",),
    )

    decision = decided(service, account={"metadata": {"team": "web"}})

    assert isinstance(decision, Permit)
    assert decision.claims == {
        "https://aws.amazon.com/tags": {
            "principal_tags": {"team": ["web"], "repository": ["456789"]},
            "transitive_tag_keys": ["team"],
        }
    }


def test_tags_that_end_with_the_session_are_not_called_transitive() -> None:
    decision = decided(a_shaped_service(None, {"team": "web"}))

    assert isinstance(decision, Permit)
    assert decision.claims == {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["web"]}}}


def test_a_tag_that_cannot_be_filled_in_is_named() -> None:
    decision = decided(a_shaped_service(None, {"team": "{metadata.team}"}))

    assert isinstance(decision, Deny)
    assert decision.template is not None
    assert decision.template.place == "session_tags.team"


def test_a_deny_and_a_missing_scope_come_before_the_templates() -> None:
    service = a_shaped_service({"groups": "{metadata.team}"})
    deny = a_deny_policy(match={"ref_type": "branch"})

    denied = the_decision(a_policy_set(a_policy(), deny, services=[service]))
    short = the_decision(a_policy_set(a_policy(), services=[service]), scopes=("x",))

    assert isinstance(denied, Deny)
    assert denied.reason is Reason.DENIED_BY_POLICY
    assert isinstance(short, Deny)
    assert short.reason is Reason.SCOPE_NOT_ALLOWED


def test_the_claims_are_in_the_token_beside_the_brokers_own_which_win() -> None:
    service = a_shaped_service({"groups": ["ci"], "iss": "https://evil.example", "sub": "root"})
    permit = decided(service)
    assert isinstance(permit, Permit)

    claims = claims_for(permit, issuer=BROKER, now=NOW, token_id="x")

    assert claims["groups"] == ["ci"]
    assert (claims["iss"], claims["sub"]) == (BROKER, "deploy-web")


def named(*policies: Any, services: Any, **more: Any) -> Mapping[str, frozenset[str]]:
    policy_set: PolicySet = a_policy_set(*policies, services=services, **more)
    return IndexedPolicies.of(policy_set).named_claims


def test_what_templates_name_is_recorded_for_the_issuers_that_reach_them() -> None:
    service = a_shaped_service({"groups": "{workload.repository_id}:{workload.custom}"})
    policies = [
        a_policy("a", {"repository": "acme/web"}),
        a_policy("b", {"project_id": "1"}, issuer="gitlab", grants={"other": []}),
    ]

    found = named(*policies, services=[service, a_shaped_service(name="other")])

    assert found["github"] == {"repository", "repository_id", "custom"}
    assert found["gitlab"] == {"project_id"}


def test_a_deny_policy_reaches_no_template() -> None:
    service = a_shaped_service({"groups": "{workload.custom}"})

    assert named(a_deny_policy(match={"ref": "x"}), services=[service])["github"] == {"ref"}
