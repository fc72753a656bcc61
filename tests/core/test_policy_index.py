"""The index yields every policy that may hold, and few others."""

import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from broker.core.conditions import Glob, Not, Present, Regex
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Mode, Policy
from broker.core.policy_index import MAX_UNDIVIDED, PolicyIndex
from tests.core.builders import (
    a_deny_policy,
    a_policy,
    a_policy_set,
    an_issuer,
    github_claims,
)


def found(policies: list[Policy], claims: Mapping[str, Any], issuer: str = "github") -> list[str]:
    index = PolicyIndex(an_issuer(issuer), policies)
    return sorted(policy.name for policy in index.candidates(claims))


def test_a_literal_finds_its_policy_and_no_other() -> None:
    policies = [a_policy(name, {"repository": f"acme/{name}"}) for name in ("web", "api", "docs")]

    assert found(policies, github_claims(repository="acme/web")) == ["web"]
    assert found(policies, github_claims(repository="acme/none")) == []
    assert found(policies, {}) == []


def test_every_literal_of_a_list_finds_the_policy_once() -> None:
    policies = [a_policy("both", {"repository_id": [1, "2", "2"]})]

    assert found(policies, {"repository_id": "2"}) == ["both"]
    assert found(policies, {"repository_id": 1}) == ["both"]
    assert found(policies, {"repository_id": ["1", "2"]}) == ["both"]


def test_a_policy_is_filed_under_its_most_telling_claim() -> None:
    by_repository = a_policy("r", {"ref": "main", "repository_owner_id": "1", "repository_id": "2"})
    by_owner = a_policy("o", {"ref": "main", "repository_owner_id": "1"})
    by_name = a_policy("n", {"repository": "acme/web", "repository_owner_id": "1"})

    claims = {"ref": "main", "repository_owner_id": "1", "repository_id": "3"}

    assert found([by_repository, by_owner, by_name], claims) == ["o"]


def test_without_a_preset_tenant_claims_tell_most() -> None:
    policy = a_policy("p", {"organization_id": "acme-1", "branch": "main"}, issuer="ci")

    assert found([policy], {"branch": "main", "organization_id": "other"}, "ci") == []
    assert found([policy], {"organization_id": "acme-1"}, "ci") == ["p"]


def test_a_glob_is_filed_under_what_stands_before_its_first_wildcard() -> None:
    policies = [
        a_policy("g", {"repository": Glob("Acme/w*")}),
        a_policy("x", {"ref": Glob("a/?")}),
        a_policy("whole", {"repository": Glob("acme/api")}),
    ]

    assert found(policies, {"repository": "aCME/web"}) == ["g"]
    assert found(policies, {"repository": "acme/"}) == []
    assert found(policies, {"repository": "acme/api"}) == ["whole"]
    assert found(policies, {"repository": "acme-evil/web", "ref": ["b/c", "a/b"]}) == ["x"]


def test_literals_and_globs_of_one_list_find_the_policy_once() -> None:
    policies = [a_policy("both", {"repository": ["acme/web", Glob("acme/w*"), Glob("octo*")]})]

    assert found(policies, {"repository": "acme/web"}) == ["both"]
    assert found(policies, {"repository": "octo-org/x"}) == ["both"]
    assert found(policies, {"repository": "acme/api"}) == []


@pytest.mark.parametrize(
    "match",
    [
        {},
        {"repository": Glob("*/web")},
        {"repository": Glob("?cme/web")},
        {"repository": Regex("acme/web")},
        {"repository": Not(Glob("acme/*"))},
        {"repository": ["acme/web", Regex("acme/.*")]},
        {"repository": ["acme/web", Glob("**/web")]},
        {"repository": Present()},
        {"/a/b": "literal"},
    ],
)
def test_what_has_no_literal_is_always_asked(match: dict[str, Any]) -> None:
    assert found([a_policy("rest", match)], {"repository": "x/y"}) == ["rest"]


@pytest.mark.parametrize(
    "match_of",
    [
        lambda number: {"repository_owner_id": 1, "environment": f"env-{number}"},
        lambda number: {"repository_owner_id": 1, "ref": Glob(f"refs/heads/team-{number}/*")},
        lambda number: {"ref": "main", "workflow": "ci", "actor_id": ["x", number]},
    ],
)
def test_what_many_policies_share_does_not_make_them_all_be_asked(
    match_of: Callable[[int], dict[str, Any]],
) -> None:
    policies = [a_policy(f"p-{number}", match_of(number)) for number in range(100, 200)]
    refs = ["refs/heads/team-150/x", "main"]
    claims = {"repository_owner_id": "1", "environment": "env-150", "ref": refs, "workflow": "ci"}

    assert found(policies, claims | {"actor_id": 150}) == ["p-150"]
    assert found(policies, {"repository_owner_id": "1", "ref": "main"}) == []


def test_policies_that_nothing_tells_apart_are_all_found() -> None:
    match = {"repository_id": 1, "ref": Regex("main")}
    policies = [a_policy(f"p-{number}", match) for number in range(3 * MAX_UNDIVIDED)]

    assert len(found(policies, {"repository_id": "1"})) == len(policies)


def test_long_lists_inside_of_long_lists_do_not_fill_the_memory() -> None:
    hundred = [str(number) for number in range(100)]
    match = dict.fromkeys(("repository_id", "repository_owner_id", "actor_id", "ref"), hundred)
    policies = [a_policy(f"p-{number}", match) for number in range(3 * MAX_UNDIVIDED)]

    tracemalloc.start()
    try:
        names = found(policies, {"repository_id": "7"})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(names) == len(policies)
    assert peak < 2_000_000


def test_spelling_in_other_capitals_finds_the_policy() -> None:
    policies = [a_policy("web", {"repository": "Acme/Web"}), a_policy("ref", {"ref": "Main"})]

    assert found(policies, {"repository": "aCME/wEB", "ref": "mAIN"}) == ["ref", "web"]


@pytest.mark.parametrize("value", [None, "", 1.5, {"a": "b"}, [], [None], [["acme/web"]]])
def test_a_claim_without_a_text_finds_nothing(value: object) -> None:
    assert found([a_policy("web", {"repository": "acme/web"})], {"repository": value}) == []


def test_an_empty_index_finds_nothing() -> None:
    assert found([], github_claims()) == []


def test_a_set_indexed_in_steps_is_indexed_as_at_once() -> None:
    policy_set = a_policy_set(
        a_policy("a"), a_policy("b", mode=Mode.OBSERVE), a_deny_policy(match={"actor_id": 7})
    )

    pauses = 0
    steps = IndexedPolicies.in_steps(policy_set)
    indexed: IndexedPolicies | None = None
    while indexed is None:
        try:
            next(steps)
            pauses += 1
        except StopIteration as end:
            indexed = end.value

    assert pauses >= len(policy_set.policies)
    at_once = IndexedPolicies.of(policy_set)
    assert (
        indexed.named_claims
        == at_once.named_claims
        == {
            "github": {"repository", "actor_id"},
            "gitlab": set(),
        }
    )
    github, claims = policy_set.issuers["github"], github_claims(actor_id="7")
    assert [each.name for each in indexed.allowing(github, claims, 0)] == ["a"]
    assert [each.name for each in indexed.denying(github, claims, 0)] == ["no"]
