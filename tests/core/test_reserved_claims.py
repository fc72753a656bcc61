"""No claim of a service's own takes the name of one that means something (attacks row 131)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.access_token import claims_for
from broker.core.decision import Permit
from broker.core.platforms import GITHUB, recognise
from broker.core.reserved_claims import AWS_TAGS, RESERVED_CLAIMS, claim_name_fault
from broker.core.vocabulary import REGISTERED_CLAIMS
from tests.core.builders import (
    BROKER,
    NOW,
    a_policy,
    a_policy_set,
    an_account,
    github_claims,
    the_decision,
)


@pytest.mark.parametrize(
    "name",
    [
        "groups", "roles", "access", "permissions", "x", "team.name", "cost-center", "a_b",
        "https://hasura.io/jwt/claims", "https://app.example.com/team", "https://a.example/",
    ],
)  # fmt: skip
def test_a_name_of_ones_own_is_taken(name: str) -> None:
    assert claim_name_fault(name) is None


def test_whatever_the_broker_sets_is_reserved() -> None:
    account = an_account(organization="acme", metadata={"team": "web"})
    permit = the_decision(a_policy_set(a_policy(), accounts=[account]))
    assert isinstance(permit, Permit)
    subject = github_claims()
    job = recognise(subject, GITHUB)

    claims = claims_for(permit, issuer=BROKER, now=NOW, token_id="x", subject=subject, workload=job)

    assert {"org_id", "metadata", "scope", "act", "policy", "workload"} < set(claims)
    assert set(claims) <= RESERVED_CLAIMS
    assert {"org_id", "metadata", "may_act", "cnf", "azp"} | REGISTERED_CLAIMS <= RESERVED_CLAIMS


@pytest.mark.parametrize("name", sorted(RESERVED_CLAIMS))
def test_a_reserved_name_is_refused_however_it_is_spelled(name: str) -> None:
    spellings = {name, name.upper(), name.title(), name.replace("_", "-"), name.replace("_", "")}

    assert [each for each in spellings if claim_name_fault(each) is None] == []


@pytest.mark.parametrize(
    "name",
    [
        "\u0455ub", "\uff53\uff55\uff42",
        "aud\u200b", "scope\x00", "\u017fcope", "iss ", " iss", "", "_x", "1x",
        "a b", "a/b", "a:b", "http://a.example/x", "https://A.example/x", "HTTPS://a.example/x",
        "https://a.example/x?y", "https://a.example/x#y", "https://u@a.example/x", "https://",
        "https://a.example:8080/x", "x" * 129, "__proto__", "$ref",
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused(name: str) -> None:
    assert "a claim's name is" in (claim_name_fault(name) or "")


@pytest.mark.parametrize(
    "name", [AWS_TAGS, AWS_TAGS + "/principal_tags/team", "https://aws.amazon.com/Tags"]
)
def test_tags_of_aws_have_a_place_of_their_own(name: str) -> None:
    assert "`session_tags`" in (claim_name_fault(name) or "")


@pytest.mark.parametrize(
    "name",
    [
        "https://aws.amazon.com/source_identity", "https://sts.aws.amazon.com/x", "kubernetes.io",
        "Kubernetes.io", "kubernetes", "https://kubernetes.io/x",
    ],
)  # fmt: skip
def test_what_clouds_act_on_unasked_is_theirs(name: str) -> None:
    assert "belongs to others" in (claim_name_fault(name) or "")


@given(
    st.text(max_size=12)
    | st.sampled_from(sorted(RESERVED_CLAIMS)).map(lambda name: name + "\u200b")
)
def test_a_name_that_is_taken_is_ascii_and_reserved_in_no_spelling(name: str) -> None:
    if claim_name_fault(name) is None:
        assert name.isascii()
        assert name.casefold() not in RESERVED_CLAIMS
