"""Which texts of a claim decisions tell apart."""

from typing import Any

from broker.core.claim_templates import parse_template
from broker.core.conditions import Condition, Equals, Glob, Not, Present
from broker.core.simulation.told_apart import texts_told_apart
from tests.core.builders import a_policy, a_policy_set, a_service, an_account, an_issuer


def told_apart(*policies: Any, **more: Any) -> dict[str, set[str]]:
    policy_set = a_policy_set(*policies, **more)
    found = texts_told_apart(policy_set, policy_set.issuers["github"])
    return {claim: set(texts) for claim, texts in found.items()}


def test_the_texts_that_conditions_write_out() -> None:
    policies = [
        a_policy("one", {"repository": "Acme/Web", "ref": ["x", "y"]}),
        a_policy("two", {"repository": "acme/api", "ref": Not(Equals("z")), "team": Present()}),
        a_policy("lab", {"ref": "other"}, issuer="gitlab"),
    ]

    assert told_apart(*policies) == {
        "repository": {"acme/web", "acme/api"}, "ref": {"x", "y", "z"}, "team": set(),
    }  # fmt: skip


def test_of_what_a_pattern_looks_at_each_text_counts() -> None:
    policies = [a_policy("one", {"ref": "x"}), a_policy("two", {"ref": Not(Glob("x*"))})]

    assert told_apart(*policies) == {}


def test_of_the_event_and_of_what_is_filled_in_each_text_counts() -> None:
    match = {"event_name": "push", "ref": "x", "team": "a", "/team/name": "a", "sha": "1"}
    services = [a_service(claims={"ref": parse_template("{workload.ref}")}), a_service("plain")]
    account = an_account(instances=("sha",))

    assert told_apart(a_policy("web", match), services=services, accounts=[account]) == {}


def test_what_is_required_counts() -> None:
    github = an_issuer("github", require=(Condition("tier", Equals("1")),))
    service = a_service(require=(Condition("environment", Equals("Prod")),))

    assert told_apart(issuers=[github], services=[service]) == {
        "tier": {"1"}, "environment": {"prod"},
    }  # fmt: skip
