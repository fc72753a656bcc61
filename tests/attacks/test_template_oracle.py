"""Rows 59, 172, 176: a template that cannot be filled in, told to somebody it is no business of.

What it names of an account is for those whose tenant a policy visibly names; a job that only the
issuer's `require` lets in sees no more than the word.
"""

from typing import Any

import pytest

from broker.core.decision import DecisionRequest, Deny, decide
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import PolicySet
from broker.core.refusal_text import describe
from tests.core.builders import (
    NOW,
    a_policy,
    a_policy_set,
    an_account,
    an_issuer,
    github_claims,
    some_conditions,
)
from tests.core.explain_cases import caller_fix, fix
from tests.core.shaped_services import a_shaped_service

TENANT = {"repository_owner_id": "123456"}
SERVICE = a_shaped_service({"groups": "secret-plan:{metadata.codename}"})


def policies(match: dict[str, Any]) -> PolicySet:
    return a_policy_set(
        a_policy("web", match),
        services=[SERVICE],
        accounts=[an_account()],
        issuers=[an_issuer("github", require=some_conditions(TENANT))],
    )


def refusal(policy_set: PolicySet) -> str:
    claims, issuer, request = github_claims(), policy_set.issuers["github"], DecisionRequest()
    deny = decide(claims, issuer, request, IndexedPolicies.of(policy_set), NOW)
    assert isinstance(deny, Deny)
    assert deny.public_reason == "claim_invalid"
    return describe(deny, request, claims, issuer)


def test_a_job_of_the_tenant_that_a_policy_names_is_told() -> None:
    own = policies({"ref_type": "branch", **TENANT})

    assert "set metadata.codename of service account deploy-web" in refusal(own)
    assert fix(own) == caller_fix(own) == refusal(own)


@pytest.mark.parametrize("word", ["secret-plan", "codename", "deploy-web", "groups"])
def test_any_other_learns_that_it_cannot_be_filled_in(word: str) -> None:
    others = policies({"ref_type": "branch"})

    assert word in (fix(others) or "")
    assert word not in refusal(others)
    assert "whoever runs the broker can look up the decision_id" in refusal(others)
    assert caller_fix(others) is None
