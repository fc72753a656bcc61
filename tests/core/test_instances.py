"""One identity per claim value (contract §4, Instances; attacks rows 78, 130, 169)."""

from typing import Any

import pytest

from broker.core.decision import Decision, Deny, Permit
from broker.core.errors import Reason
from tests.core.builders import a_policy, a_policy_set, an_account, github_claims, the_decision


def decided(*instances: str, client_id: str = "repo-ci", **changes: Any) -> Decision:
    account = an_account(client_id, instances=instances)
    policy = a_policy("web", {"repository_owner": "acme"}, service_account=client_id)
    return the_decision(a_policy_set(policy, accounts=[account]), github_claims(**changes))


def sub(*instances: str, **changes: Any) -> str:
    permit = decided(*instances, **changes)
    assert isinstance(permit, Permit), permit
    return permit.sub


def test_without_instances_the_account_itself_is_the_subject() -> None:
    assert sub() == "repo-ci"


def test_an_instance_is_named_by_claim_and_value() -> None:
    assert sub("repository_id") == "repo-ci:repository_id:456789"


def test_several_claims_are_named_in_the_order_of_the_account() -> None:
    expected = "repo-ci:repository_owner_id:123456:repository_id:456789"

    assert sub("repository_owner_id", "repository_id") == expected


def test_a_number_names_the_same_instance_as_its_text() -> None:
    assert sub("repository_id", repository_id=456789) == "repo-ci:repository_id:456789"


def test_a_folding_claim_names_one_instance_whatever_its_case() -> None:
    assert sub("environment", environment="PROD") == "repo-ci:environment:prod"
    assert sub("ref_type", ref_type="Branch") == "repo-ci:ref_type:Branch"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(..., id="absent"),
        pytest.param(None, id="null"),
        pytest.param("", id="empty"),
        pytest.param("x:repository_id:1", id="a colon"),
        pytest.param("a/b", id="a slash"),
        pytest.param("a b", id="a space"),
        pytest.param("a\n", id="a newline at the end"),
        pytest.param("prod-\u00e9", id="beyond ASCII"),
        pytest.param("\u212aube", id="Kelvin sign"),
        pytest.param("*", id="a star"),
        pytest.param("a" * 101, id="too long"),
        pytest.param(["prod"], id="a list"),
        pytest.param({"prod": 1}, id="an object"),
        pytest.param(1.5, id="a float"),
    ],
)
def test_a_value_outside_the_grammar_is_refused(value: Any) -> None:
    decision = decided("environment", environment=value)

    assert isinstance(decision, Deny)
    assert decision.reason is Reason.CLAIM_INVALID
    assert decision.detail == "instances of repo-ci"


@pytest.mark.parametrize("value", ["a", "A.b_c-1", "..", "a" * 100])
def test_a_value_within_the_grammar_is_taken(value: str) -> None:
    assert sub("ref_type", ref_type=value) == f"repo-ci:ref_type:{value}"


def test_a_subject_of_127_bytes_is_the_longest() -> None:
    room = 127 - len("repo-ci:environment_node_id:")

    assert len(sub("environment_node_id", environment_node_id="e" * room)) == 127
    longer = decided("environment_node_id", environment_node_id="e" * (room + 1))
    assert isinstance(longer, Deny)
    assert longer.reason is Reason.CLAIM_INVALID


def test_the_account_stays_the_client() -> None:
    permit = decided("repository_id")

    assert isinstance(permit, Permit)
    assert permit.service_account.client_id == "repo-ci"
