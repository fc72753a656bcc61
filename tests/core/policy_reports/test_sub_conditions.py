"""Whether two values of `sub` can make a difference, found without deciding."""

from typing import Any

import pytest

from broker.core.claim_templates import parse_template
from broker.core.conditions import Condition, Equals, Glob, Not
from broker.core.policy_reports.sub_conditions import SubConditions
from tests.core.builders import a_policy, a_policy_set, a_service, an_account, an_issuer

ONE, OTHER = "repo:acme/web:x", "repo:acme@1/web@2:x"


def told_apart(*policies: Any, **more: Any) -> bool:
    policy_set = a_policy_set(*policies, **more)
    return SubConditions(policy_set, policy_set.issuers["github"]).tell_apart(ONE, OTHER)


@pytest.mark.parametrize(
    ("value", "turns"),
    [
        (ONE, True),
        (OTHER, True),
        (Not(Equals(ONE)), True),
        ("repo:acme/api:x", False),
        (Glob("repo:acme/*:**"), True),
        (Glob("repo:acme**"), False),
        (Not(Glob("repo:acme/*:**")), True),
        ([ONE, Glob("x")], True),
    ],
)
def test_a_condition_tells_them_apart_when_it_holds_for_one_alone(value: Any, turns: bool) -> None:
    assert told_apart(a_policy("web", {"sub": value})) is turns


def test_the_conditions_of_another_issuer_do_not_count() -> None:
    assert not told_apart(a_policy("lab", {"sub": ONE}, issuer="gitlab"))


def test_what_issuer_and_services_require_counts() -> None:
    require = (Condition("sub", Glob("repo:acme/*:**")),)

    assert told_apart(issuers=[an_issuer("github", require=require)])
    assert told_apart(services=[a_service(require=require)])


def test_where_sub_is_filled_in_every_text_counts() -> None:
    shaped = a_service(claims={"job": parse_template("{workload.sub}")})
    other = a_service(claims={"job": parse_template("{workload.ref}")})

    assert told_apart(accounts=[an_account(instances=("sub",))])
    assert told_apart(services=[shaped])
    assert not told_apart(services=[other, a_service("plain")])
