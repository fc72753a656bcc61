"""Rows 112, 164-166: issuers of which the broker knows nothing but what the file says."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from broker.testing import FakeIssuer
from tests.attacks.configuration import problem_of
from tests.attacks.own_tenants import (
    assert_no_policy,
    assert_permitted_by,
    faults_at_start,
    further_issuer,
)
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker
from tests.special_brokers import special_broker

ORG = "7b9a3c52-0000-4000-8000-00000000000c"
CIRCLECI = f"https://oidc.circleci.com/org/{ORG}"
TERRAFORM = "https://app.terraform.io"
CLUSTER = "https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE"
POLICIES = f"""\
issuers:
  circleci:
    issuer: {CIRCLECI}
    audiences: ["{AUDIENCE}"]
    jwks_file: circleci.json
    tenant: [oidc.circleci.com/project-id]
    require: {{oidc.circleci.com/ssh-rerun: false}}
  terraform:
    issuer: {TERRAFORM}
    audiences: ["{AUDIENCE}"]
    jwks_file: terraform.json
    tenant: [terraform_organization_id]
  cluster:
    issuer: {CLUSTER}
    audiences: ["{AUDIENCE}"]
    jwks_file: cluster.json
    single_tenant: true
policies:
  circleci:
    service_account: deploy-web
    issuer: circleci
    match: {{oidc.circleci.com/project-id: p-1, oidc.circleci.com/vcs-ref: refs/heads/main}}
  workspace:
    service_account: deploy-web
    issuer: terraform
    match: {{terraform_organization_id: org-1, terraform_workspace_name: production}}
  pod:
    service_account: deploy-web
    issuer: cluster
    match: {{/kubernetes.io/namespace: prod, /kubernetes.io/serviceaccount/name: deployer}}
"""


@dataclass
class Platforms:
    broker: RunningBroker
    issuers: dict[str, FakeIssuer]

    def exchange(self, issuer: str, **claims: Any) -> httpx.Response:
        token = self.issuers[issuer].token({"sub": "job:1", **claims}, audience=AUDIENCE)
        return self.broker.exchange(token)


@pytest.fixture(scope="module")
def platforms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platforms]:
    folder = tmp_path_factory.mktemp("broker")
    urls = {"circleci": CIRCLECI, "terraform": TERRAFORM, "cluster": CLUSTER}
    issuers = {name: further_issuer(folder, name, url) for name, url in urls.items()}
    with special_broker(folder, POLICIES) as broker:
        yield Platforms(broker, issuers)


JOB = {
    "oidc.circleci.com/project-id": "p-1",
    "oidc.circleci.com/vcs-ref": "refs/heads/main",
    "oidc.circleci.com/ssh-rerun": False,
}


@pytest.mark.parametrize("rerun", [True, "true", None, "", 0, 1, "False", [], [True], {}], ids=repr)
def test_a_persons_shell_with_the_token_of_a_job_is_no_job(
    platforms: Platforms, rerun: Any
) -> None:
    answer = platforms.exchange("circleci", **{**JOB, "oidc.circleci.com/ssh-rerun": rerun})

    assert_no_policy(platforms.broker, answer)


@pytest.mark.parametrize("rerun", [False, "false"], ids=repr)
def test_a_job_is(platforms: Platforms, rerun: Any) -> None:
    answer = platforms.exchange("circleci", **{**JOB, "oidc.circleci.com/ssh-rerun": rerun})

    assert_permitted_by(platforms.broker, answer, "circleci")


def test_a_name_in_a_claim_is_no_path(platforms: Platforms) -> None:
    nested = {"oidc.circleci.com": {"project-id": "p-1", "vcs-ref": "refs/heads/main"},
              "oidc.circleci.com/ssh-rerun": False}  # fmt: skip

    assert_no_policy(platforms.broker, platforms.exchange("circleci", **nested))


def test_a_workspace_of_the_same_name_belongs_to_its_organization(platforms: Platforms) -> None:
    workspace = {"terraform_workspace_name": "production"}

    strangers = platforms.exchange("terraform", terraform_organization_id="org-2", **workspace)
    nobodys = platforms.exchange("terraform", **workspace)
    own = platforms.exchange("terraform", terraform_organization_id="org-1", **workspace)

    assert_no_policy(platforms.broker, strangers)
    assert_no_policy(platforms.broker, nobodys)
    assert_permitted_by(platforms.broker, own, "workspace")


def test_its_tenant_is_printable_ascii(platforms: Platforms) -> None:
    answer = platforms.exchange("terraform", terraform_organization_id="\u043erg-1")

    assert_refused(platforms.broker, answer, "claim_invalid")


@pytest.mark.parametrize(
    "claims",
    [
        {"kubernetes.io": {"namespace": "dev", "serviceaccount": {"name": "deployer"}}},
        {"kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "default"}}},
        {"kubernetes.io": {"namespace": "prod", "serviceaccount": "deployer"}},
        {"kubernetes.io": {"namespace": "prod"}},
        {"kubernetes.io/namespace": "prod", "kubernetes.io/serviceaccount/name": "deployer"},
        {"sub": "system:serviceaccount:prod:deployer"},
    ],
    ids=repr,
)
def test_another_pod_of_the_cluster_is_another(
    platforms: Platforms, claims: dict[str, Any]
) -> None:
    assert_no_policy(platforms.broker, platforms.exchange("cluster", **claims))


def test_the_one_that_is_meant_is_served(platforms: Platforms) -> None:
    claims = {"kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "deployer"}}}

    answer = platforms.exchange("cluster", **claims)

    assert_permitted_by(platforms.broker, answer, "pod")


# --- what does not load ---------------------------------------------------------------------------


FILE = """\
issuers:
  ci: {{{issuer}}}
services:
  deploy-api: {{audience: https://deploy.example.com}}
service_accounts:
  deploy-web: {{grants: {{deploy-api: []}}}}
policies:
  main:
    service_account: deploy-web
    issuer: ci
    match: {{{condition}}}
"""


@pytest.mark.parametrize(
    ("issuer", "condition", "place", "word"),
    [
        (f"issuer: {TERRAFORM}", "a: b", "2:3", "`single_tenant: true`"),
        (f"issuer: {TERRAFORM}, tenant: [org]", "workspace: production", "11:5", "pin `org`"),
        (f"issuer: {TERRAFORM}, tenant: [org]", "/x/org: a", "11:5", "pin `org`"),
        (f"issuer: {TERRAFORM}, tenant: [org]", 'org: {glob: "a*"}', "11:18", "literal"),
        (f"issuer: {TERRAFORM}, tenant: [/a/b]", "x: y1", "2:51", "pointer"),
    ],
)
def test_without_a_tenant_nothing_loads(issuer: str, condition: str, place: str, word: str) -> None:
    problem = problem_of(FILE.format(issuer=issuer, condition=condition))

    assert problem.startswith(f"policies.yaml:{place}: ")
    assert word in problem


def test_a_known_platform_or_a_second_name_for_one_does_not_start(tmp_path: Any) -> None:
    """Neither floor nor guard, or the laxer of two entries: all places are told at once."""
    faults = faults_at_start(
        tmp_path,
        {
            "hosts.yaml": "issuers:\n"
            "  a: {issuer: 'https://gitlab.com', single_tenant: true}\n"
            "  b: {issuer: 'https://token.actions.githubusercontent.com', tenant: [x]}\n"
            "  c: {issuer: 'https://token.actions.githubusercontent.com/corp', tenant: [x]}\n"
            "  d: {issuer: 'https://token.actions.corp.ghe.com', single_tenant: true}\n"
            "  e: {issuer: 'https://gitlab.com/', single_tenant: true}\n",
            "twins.yaml": "issuers:\n"
            "  lax: {preset: gitlab, issuer: 'https://gitlab.corp.example', replay: reusable}\n"
            "  twin: {issuer: 'https://ci.corp.example', single_tenant: true}\n"
            "  twin-2: {issuer: 'https://ci.corp.example', single_tenant: true}\n",
        },
    )

    hosts = faults["hosts.yaml"]
    assert [fault.partition(" ")[0] for fault in hosts if "tokens of this host need" in fault] == [
        "2:15:", "3:15:", "4:15:", "5:15:", "6:15:"
    ]  # fmt: skip
    twins = faults["twins.yaml"]
    assert [fault.partition(" ")[0] for fault in twins] == ["2:33:", "4:20:"]
    assert all("already defined in" in fault for fault in twins)
