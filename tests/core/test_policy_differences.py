"""What two policy sets say differently is named, entry by entry."""

from dataclasses import replace

from broker.core.policy_differences import Difference, differences
from tests.core.builders import a_policy, a_policy_set, an_account

SET = replace(
    a_policy_set(a_policy("web"), a_policy("gone"), a_policy("same")),
    organizations={"acme": "The company"},
)


def test_a_set_differs_in_nothing_from_itself() -> None:
    assert list(differences(SET, SET)) == []


def test_every_difference_is_named_with_what_says_something_else() -> None:
    changed = replace(a_policy("web", {"repository": "acme/other"}), ttl=60, place="elsewhere:1")
    policies = {"web": changed, "new": a_policy("new"), "same": a_policy("same")}
    other = replace(
        SET,
        policies=policies,
        service_accounts={"deploy-web": an_account(enabled=False)},
        organizations={"acme": "Another one"},
    )

    assert list(differences(SET, other)) == [
        Difference("service_accounts", "deploy-web", "changed", ("enabled",)),
        Difference("policies", "gone", "removed"),
        Difference("policies", "new", "added"),
        Difference("policies", "web", "changed", ("match", "ttl")),
        Difference("organizations", "acme", "changed", ("description",)),
    ]


def test_a_difference_in_json() -> None:
    difference = Difference("policies", "web", "changed", ("match",))

    assert difference.as_json() == {
        "map": "policies",
        "name": "web",
        "what": "changed",
        "members": ["match"],
    }
