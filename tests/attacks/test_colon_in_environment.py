"""Rows 70, 71: an environment whose name holds a colon, or what a colon is escaped to.

GitHub writes `:` as `%3A` into `sub` and leaves `%` as it is; its older servers escape nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from broker.testing import FakeIssuer, github_claims
from tests.attacks.hand_made_tokens import payload_of
from tests.attacks.own_tenants import assert_no_policy, assert_permitted_by, further_issuer
from tests.running_broker import AUDIENCE, OCTO_REPO, RunningBroker
from tests.special_brokers import special_broker

GHES = "https://github.corp.example/_services/token"
TRUSTED_WORKFLOW = "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main"
POLICIES = f"""\
issuers:
  ghes: {{preset: github, issuer: "{GHES}", audiences: ["{AUDIENCE}"], jwks_file: ghes.json}}
policies:
  colon:
    service_account: deploy-web
    issuer: github
    match: {{repository_id: 1, environment: "Production:V1"}}
  percent:
    service_account: deploy-web
    issuer: github
    match: {{repository_id: 1, environment: "Production%3AV1"}}
  node-id:
    service_account: deploy-web
    issuer: github
    match: {{repository_id: 2, environment_node_id: EN_kwDOVBcNc88AAAAFiytEwA}}
  forged-workflow:
    service_account: deploy-web
    issuer: ghes
    match: {{repository_owner_id: 123456, job_workflow_ref: "{TRUSTED_WORKFLOW}"}}
  forged-environment:
    service_account: deploy-web
    issuer: ghes
    match: {{repository_owner_id: 123456, environment: production}}
  forged-ref:
    service_account: deploy-web
    issuer: ghes
    match: {{repository_owner_id: 123456, ref: refs/heads/main, environment: staging}}
  forged-sub:
    service_account: deploy-web
    issuer: ghes
    match:
      repository_owner_id: 123456
      sub: {{glob: "repo:octo-org/*:environment:*:job_workflow_ref:octo-org/trusted/**"}}
"""


@dataclass
class Platforms:
    broker: RunningBroker
    ghes: FakeIssuer

    def from_ghes(self, **claims: Any) -> str:
        """Mint a token of the server, whose `sub` names the environment unescaped."""
        environment = claims.get("environment", "")
        sub = f"repo:octo-org/octo-repo:environment:{environment}"
        given: dict[str, Any] = {**OCTO_REPO, "sub": sub, **claims}
        return self.ghes.token(github_claims(**given), audience=AUDIENCE)


@pytest.fixture(scope="module")
def platforms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platforms]:
    folder = tmp_path_factory.mktemp("broker")
    ghes = further_issuer(folder, "ghes", GHES)
    with special_broker(folder, POLICIES) as broker:
        yield Platforms(broker, ghes)


def test_two_environments_of_one_sub_are_two(platforms: Platforms) -> None:
    broker = platforms.broker
    tokens = {
        name: payload_of(broker, repository_id="1", environment=name)
        for name in ("Production:V1", "Production%3AV1")
    }
    assert len({claims["sub"] for claims in tokens.values()}) == 1

    answers = {
        name: broker.exchange(broker.github.token(claims, audience=AUDIENCE))
        for name, claims in tokens.items()
    }

    assert_permitted_by(broker, answers["Production:V1"], "colon")
    assert_permitted_by(broker, answers["Production%3AV1"], "percent")


@pytest.mark.parametrize(
    "environment", ["Production%3aV1x", "Production%253AV1", "Production", "Production: V1", "V1"]
)
def test_nothing_in_a_claim_is_decoded(platforms: Platforms, environment: str) -> None:
    token = platforms.broker.github_token(repository_id="1", environment=environment)

    assert_no_policy(platforms.broker, platforms.broker.exchange(token))


def test_an_environment_may_be_meant_by_its_id(platforms: Platforms) -> None:
    broker = platforms.broker
    for node, expected in (
        ("EN_kwDOVBcNc88AAAAFiytEwA", True),
        ("EN_kwDOVBcNc88AAAAFiytEwB", False),
    ):
        token = broker.github_token(
            repository_id="2", environment="Production:V1", environment_node_id=node
        )
        answer = broker.exchange(token)
        if expected:
            assert_permitted_by(broker, answer, "node-id")
        else:
            assert_no_policy(broker, answer)


@pytest.mark.parametrize(
    "environment",
    [
        f"x:job_workflow_ref:{TRUSTED_WORKFLOW}",
        "x:environment:production",
        "production:ref:refs/heads/main",
        "staging:ref:refs/heads/main",
        "x:job_workflow_ref:octo-org/trusted-evil/.github/workflows/x.yml",
        "x:y:job_workflow_ref:octo-org/trusted/.github/workflows/x.yml",
        "x:repository_id:1",
    ],
)
def test_no_segment_of_a_forged_sub_counts(platforms: Platforms, environment: str) -> None:
    token = platforms.from_ghes(environment=environment, ref="refs/heads/feature")

    assert_no_policy(platforms.broker, platforms.broker.exchange(token))


@pytest.mark.parametrize(
    ("policy", "claims"),
    [
        ("forged-workflow", {"environment": "x", "workflow_ref": TRUSTED_WORKFLOW}),
        ("forged-environment", {"environment": "production"}),
        ("forged-ref", {"environment": "staging", "ref": "refs/heads/main"}),
    ],
)
def test_the_claim_itself_does(platforms: Platforms, policy: str, claims: dict[str, str]) -> None:
    answer = platforms.broker.exchange(platforms.from_ghes(**claims))

    assert_permitted_by(platforms.broker, answer, policy)


def test_a_glob_over_sub_is_forged_where_the_platform_escapes_nothing(
    platforms: Platforms,
) -> None:
    """The reason why `sub` is nothing to match: this name of an environment is a policy's `sub`."""
    environment = "x:job_workflow_ref:octo-org/trusted/.github/workflows/x.yml"

    forged = platforms.broker.exchange(platforms.from_ghes(environment=environment))

    claims = assert_permitted_by(platforms.broker, forged, "forged-sub")
    assert claims["workload"]["environment"] == environment
