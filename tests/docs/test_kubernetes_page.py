"""docs/guides/kubernetes.md: policy, API server, RBAC and job fit together."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from broker.core.access_token import claims_for
from broker.core.decision import DecisionRequest, Permit, decide
from broker.core.indexed_policies import IndexedPolicies
from tests.core.builders import NOW, github_claims
from tests.docs.markdown import ROOT, Page
from tests.docs.policies_in_pages import load_block

PAGE = Page("docs/guides/kubernetes.md")
POLICY_SET = load_block(PAGE.section("The policy")).policy_set
SERVICE = POLICY_SET.services["cluster-prod"]
CONFIG = Path("examples/services/kubernetes/authentication-config.yaml")


SECTIONS = ["The policy", "The cluster", "RBAC", "The job"]
"""Each has one block of YAML, in this order."""


def only_yaml(section: str) -> Any:
    block = PAGE.blocks("yaml")[SECTIONS.index(section)]
    return yaml.safe_load(block.text)


def test_the_configuration_shown_is_the_one_that_the_api_server_was_tried_with() -> None:
    assert (ROOT / CONFIG).read_text() == PAGE.blocks("yaml")[SECTIONS.index("The cluster")].text


def test_the_cluster_names_the_audience_of_the_service() -> None:
    [trusted] = only_yaml("The cluster")["jwt"]

    assert trusted["issuer"]["audiences"] == [SERVICE.audience]
    assert f"claims.aud == '{SERVICE.audience}'" in str(trusted["claimValidationRules"])


def test_the_binding_names_a_group_that_a_deployment_gets() -> None:
    token = github_claims(
        repository_owner_id="1234567", ref="refs/heads/main", environment="production"
    )
    permit = decide(
        token,
        POLICY_SET.issuers["github"],
        DecisionRequest(("cluster-prod",)),
        IndexedPolicies.of(POLICY_SET),
        NOW,
    )
    assert isinstance(permit, Permit)
    claims = claims_for(permit, issuer="https://broker.example.com", now=NOW, token_id="t-1")

    [trusted] = only_yaml("The cluster")["jwt"]
    mapped = trusted["claimMappings"]["groups"]
    groups = [mapped["prefix"] + each for each in claims[mapped["claim"]]]
    [subject] = only_yaml("RBAC")["subjects"]
    assert (subject["kind"], subject["name"] in groups) == ("Group", True)


def test_the_job_asks_for_the_service_of_the_policy() -> None:
    config = only_yaml("The job")

    [user] = config["users"]
    assert user["user"]["exec"]["args"] == [
        "credential-helper", "kubectl", "--service", SERVICE.name,
    ]  # fmt: skip
    assert config["contexts"][0]["context"]["user"] == user["name"]


def test_the_binding_fits_the_schema_of_kubernetes() -> None:
    kubernetes_validate.validate(only_yaml("RBAC"), "1.32", strict=True)
