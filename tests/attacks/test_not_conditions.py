"""Rows 159-161, 163: a `not` that holds although what it excludes is there, or nothing is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.configuration import problem_of
from tests.attacks.hand_made_tokens import payload_of, with_payload
from tests.attacks.own_tenants import (
    assert_no_policy,
    assert_permitted_by,
    policies_of_own_tenants,
)
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

CONDITIONS = {
    "not-evil": "groups: {not: evil}",
    "none-of": 'groups: {not: [evil, {glob: "bad-*"}, {regex: "worse.*"}]}',
    "open": "",
    "open-groups": "",
}
POLICIES = f"""\
policies:
{policies_of_own_tenants(CONDITIONS)}
  only-friends:
    effect: deny
    issuer: github
    match: {{repository_id: open, groups: {{not: friends}}}}
  never-evil:
    effect: deny
    issuer: github
    match: {{repository_id: open-groups, groups: evil}}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


def with_groups(broker: RunningBroker, tenant: str, groups: Any) -> Any:
    claims = payload_of(broker, repository_id=tenant) | {"groups": groups}
    return broker.exchange(with_payload(broker, json.dumps(claims)))


@pytest.mark.parametrize("policy", ["not-evil", "none-of"])
@pytest.mark.parametrize(
    "groups",
    [["ok", "evil"], ["evil", "ok"], ["evil"], "evil", [], None, "", {}, 1.5, [None], [None, "ok"],
     ["ok", {}], ["ok", ["evil"]], ["ok", 1.5], ["", "ok"]],
    ids=repr,
)  # fmt: skip
def test_what_is_excluded_or_unreadable_is_not_admitted(
    broker: RunningBroker, policy: str, groups: Any
) -> None:
    assert_no_policy(broker, with_groups(broker, policy, groups))


@pytest.mark.parametrize(
    "groups", [["ok", "bad-x"], "bad-", ["worse-still"], ["x", "worse"]], ids=repr
)
def test_nor_is_what_any_of_several_excludes(broker: RunningBroker, groups: Any) -> None:
    assert_no_policy(broker, with_groups(broker, "none-of", groups))


@pytest.mark.parametrize("policy", ["not-evil", "none-of"])
@pytest.mark.parametrize(
    "groups", [["ok"], ["ok", "fine"], "ok", ["Evil"], [7, True], 0, False], ids=repr
)
def test_anything_else_is(broker: RunningBroker, policy: str, groups: Any) -> None:
    assert_permitted_by(broker, with_groups(broker, policy, groups), policy)


@pytest.mark.parametrize(
    "groups",
    [[], None, "", {}, 1.5, "foes", ["foes"], ["Friends"], [None], [["friends"]], ["foes", None]],
    ids=repr,
)
def test_in_a_deny_not_holds_for_everything_else_and_for_nothing(
    broker: RunningBroker, groups: Any
) -> None:
    assert_refused(broker, with_groups(broker, "open", groups), "denied_by_policy")


def test_also_where_the_claim_is_missing(broker: RunningBroker) -> None:
    answer = broker.exchange(broker.github_token(repository_id="open"))

    assert_refused(broker, answer, "denied_by_policy")


@pytest.mark.parametrize("groups", ["friends", ["friends"], ["foes", "friends"]], ids=repr)
def test_and_not_for_what_it_excepts(broker: RunningBroker, groups: Any) -> None:
    assert_permitted_by(broker, with_groups(broker, "open", groups), "open")


@pytest.mark.parametrize("groups", ["evil", ["ok", "evil"], [None, "evil"], [{}, "evil"]], ids=repr)
def test_a_deny_finds_its_value_anywhere_in_a_list(broker: RunningBroker, groups: Any) -> None:
    assert_refused(broker, with_groups(broker, "open-groups", groups), "denied_by_policy")


FILE = """\
issuers:
  github: {{preset: github}}
services:
  deploy-api: {{audience: https://deploy.example.com}}
service_accounts:
  deploy-web: {{grants: {{deploy-api: []}}}}
policies:
  main:
    service_account: deploy-web
    issuer: github
    match:
      repository_id: 456789
      ref: {condition}
"""


@pytest.mark.parametrize(
    ("condition", "column", "word"),
    [
        ("[main, {not: dev}]", 19, "inside a list"),
        ("[{not: dev}]", 13, "inside a list"),
        ("{not: {not: dev}}", 18, "write `{not: [a, b]}`"),
        ("{not: [a, {not: b}]}", 22, "inside a list"),
        ("{not: {present: true}}", 18, "stands alone"),
        ('{not: ""}', 18, "matches nothing"),
        ('{not: [dev, ""]}', 24, "matches nothing"),
        ('["", prod]', 13, "matches nothing"),
        ('""', 12, "matches nothing"),
        ("{not: []}", 18, "is empty"),
        ("{not: }", 18, "is empty"),
        ("{not: a, glob: b}", 12, "one operator"),
    ],
)
def test_a_not_that_could_mean_two_things_does_not_load(
    condition: str, column: int, word: str
) -> None:
    problem = problem_of(FILE.format(condition=condition))

    assert problem.startswith(f"policies.yaml:13:{column}: ")
    assert word in problem
