"""Which allow policies the tests leave untried."""

import pytest

from broker.core.indexed_policies import IndexedPolicies
from broker.policy_files import run
from broker.policy_files.coverage import Coverage, coverage
from tests.policy_files.loading import load_beside_base, policy

NOW = 1_795_300_000.0
WEB = policy("{repository: acme/web, repository_id: 456789, ref: refs/heads/main}")
PERMITTED = "{name: a, issuer: github, base: push, expect: permit}"
DENIED = "{name: b, issuer: github, base: push, claims: {ref: refs/heads/x}, expect: deny}"


def covered(*tests: str, policies: str = WEB) -> Coverage:
    loaded = load_beside_base(f"{policies}tests: [{', '.join(tests)}]" if tests else policies)
    indexed = IndexedPolicies.of(loaded.policy_set)
    return coverage(run(loaded, NOW, policies=indexed), indexed, NOW)


def untried(*tests: str, policies: str = WEB) -> tuple[list[str], list[str]]:
    found = covered(*tests, policies=policies)
    return (
        [policy.name for policy in found.never_permits],
        [policy.name for policy in found.never_denies],
    )


def test_a_policy_with_a_permit_and_a_near_miss_is_tried() -> None:
    assert untried(PERMITTED, DENIED) == ([], [])


def test_a_policy_without_tests_is_untried_in_both_ways() -> None:
    assert untried() == (["p"], ["p"])


def test_a_permit_alone_says_nothing_of_whom_a_policy_keeps_out() -> None:
    assert untried(PERMITTED) == ([], ["p"])


def test_a_deny_alone_does_not_show_that_a_policy_works() -> None:
    assert untried(DENIED) == (["p"], [])


@pytest.mark.parametrize(
    "claims",
    [
        "{repository_id: 1, ref: refs/heads/x}",
        "{repository: acme/webby, event_name: pull_request}",
        "{repository: acme/other, repository_id: 456789}",
    ],
)
def test_a_token_of_the_tenant_comes_near_whatever_else_it_misses(claims: str) -> None:
    test = f"{{name: b, issuer: github, base: push, claims: {claims}, expect: deny}}"

    assert untried(PERMITTED, test) == ([], [])


def test_a_token_that_misses_by_one_thing_comes_near() -> None:
    no_preset = policy("{organization_id: 1, branch: main}", "buildkite")
    test = "{name: b, issuer: buildkite, claims: {organization_id: 2, branch: main}, expect: deny}"

    assert untried(test, policies=no_preset) == (["p"], [])


def test_a_stranger_does_not_come_near() -> None:
    claims = "{repository: evil/x, repository_id: 1, ref: refs/heads/x}"
    test = f"{{name: b, issuer: github, base: push, claims: {claims}, expect: deny}}"

    assert untried(PERMITTED, test) == ([], ["p"])


def test_the_token_of_another_issuer_does_not_come_near() -> None:
    test = "{name: b, issuer: gitlab, base: push, expect: deny}"

    assert untried(PERMITTED, test) == ([], ["p"])


def test_a_test_that_fails_tries_nothing() -> None:
    permitted = PERMITTED.replace("permit}", "{permit: {ttl: 1s}}}")
    denied = DENIED.replace("deny}", "{deny: blocked}}")

    assert untried(permitted, denied) == (["p"], ["p"])


def test_policies_that_deny_or_only_observe_need_no_test() -> None:
    rest = (
        WEB
        + "  d: {effect: deny, issuer: github, match: {ref: x}}\n"
        + policy("{repository: acme/web}", mode="observe").replace("policies:\n  p:", "  o:")
    )

    assert [policy.name for policy in covered(policies=rest).policies] == ["p"]


def test_policies_are_named_in_their_order() -> None:
    more = WEB + WEB.replace("policies:\n  p:", "  a:")

    assert untried(policies=more) == (["a", "p"], ["a", "p"])
