"""Attacks row 23: a policy that holds for the tokens of whichever issuer."""

import pytest

from broker.testing import gitlab_claims
from tests.attacks.compact_tokens import octo_claims
from tests.attacks.configuration import load_policies, problem_of
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker

FILE = """\
issuers:
  gitlab: {{preset: gitlab}}
services:
  deploy-api: {{audience: https://deploy.example.com, scopes: {{deploy:read: See}}}}
service_accounts:
  deploy-web: {{grants: {{deploy-api: [deploy:read]}}}}
policies:
  any:
    service_account: deploy-web{issuer}
    match: {{sub: "project_path:acme/web:ref_type:branch:ref:main"}}
"""


def test_a_policy_without_issuer_does_not_load() -> None:
    problem = problem_of(FILE.format(issuer=""))

    assert problem.startswith("policies.yaml:8:")
    assert "`issuer`" in problem


@pytest.mark.parametrize("issuer", ['""', "null", "'*'", "[gitlab, github]", "any", "gitlab.com"])
def test_a_policy_names_one_configured_issuer(issuer: str) -> None:
    problem = problem_of(FILE.format(issuer=f"\n    issuer: {issuer}"))

    assert problem.startswith("policies.yaml:10:")
    assert "`issuer`" in problem or "there is no issuer" in problem


def test_a_deny_policy_names_its_issuer_as_well() -> None:
    text = FILE.format(issuer="\n    issuer: gitlab") + "  never: {effect: deny, match: {ref: x}}\n"

    assert "`issuer`" in problem_of(text)


def test_the_same_policy_loads_with_its_issuer() -> None:
    loaded = load_policies(FILE.format(issuer="\n    issuer: gitlab"))

    assert loaded.policy_set.policies["any"].issuer == "gitlab"


def test_the_same_sub_from_another_issuer_fits_no_policy(live_broker: RunningBroker) -> None:
    """GitHub's policy does not hold for the same claims from a GitLab that mints what it likes."""
    claims = octo_claims()
    both = gitlab_claims(**{**claims, "project_id": "21", "ref_protected": "true"})
    token = live_broker.gitlab_corp.token(both, audience=AUDIENCE)

    assert_refused(live_broker, live_broker.exchange(token), "no_policy_matched")
