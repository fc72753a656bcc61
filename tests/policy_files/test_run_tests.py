"""Running the `tests` of policy files: what holds, what fails and why, what has lapsed."""

from typing import Any

import pytest

from broker.core.decision import Permit
from broker.core.errors import ConfigurationError, Reason
from broker.policy_files import PolicyTestResult, refuse_failed, run
from broker.policy_files.run_tests import MAX_EXPLAINED
from tests.policy_files.loading import load_beside_base, policy

NOW = 1_795_300_000.0
WEB = policy("{repository: acme/web, ref: refs/heads/main}")
CLAIMS = "{repository: acme/web, ref: refs/heads/main, event_name: push}"


def results(text: str, now: float = NOW, **settings: Any) -> list[PolicyTestResult]:
    return run(load_beside_base(text, **settings), now)


def result_of(fields: str, policies: str = WEB, now: float = NOW) -> PolicyTestResult:
    """The one test of these fields, of issuer github."""
    (result,) = results(f"{policies}tests: [{{name: t, issuer: github, {fields}}}]", now)
    return result


def fault_of(fields: str, policies: str = WEB, now: float = NOW) -> str:
    fault = result_of(fields, policies, now).fault
    assert fault is not None
    return fault


# --- what a test is decided on --------------------------------------------------------------------


def test_a_test_without_base_has_exactly_the_claims_that_it_lists() -> None:
    result = result_of(f"claims: {CLAIMS}, expect: permit")

    assert result.holds
    assert result.claims == {
        "repository": "acme/web",
        "ref": "refs/heads/main",
        "event_name": "push",
    }


def test_a_base_lies_below_the_claims() -> None:
    result = result_of("base: push, claims: {actor: hubot}, expect: permit")

    assert result.holds
    assert result.claims["repository"] == "acme/web"
    assert result.claims["actor"] == "hubot"


def test_what_a_base_derives_follows_the_claims() -> None:
    by_sub = policy('{sub: "repo:acme/api:environment:prod"}')

    result = result_of("base: push, claims: {repository: acme/api, environment: prod}, "
                       "expect: permit", by_sub)  # fmt: skip

    assert result.holds


def test_a_null_takes_a_claim_of_the_base_away() -> None:
    assert "`web`" not in fault_of("base: push, claims: {ref: null}, expect: permit")


@pytest.mark.parametrize("source", ["push", "web", "schedule"])
def test_a_base_of_gitlab_is_a_pipeline_source(source: str) -> None:
    text = policy("{project_path: acme/web, ref_protected: true}", "gitlab")
    test = f"tests: [{{name: t, issuer: gitlab, base: {source}, expect: permit}}]"

    (result,) = results(text + test)

    assert result.holds


CORP = """\
issuers: {corp: {preset: gitlab, issuer: 'https://g.example', max_token_lifetime: 20m}}
policies: {c: {service_account: deploy-web, issuer: corp, ttl: 1h, match: {project_id: 1}}}
tests: [{name: t, issuer: corp, base: push, claims: {project_id: 1%s}, expect: permit}]
"""


@pytest.mark.parametrize(("exp", "ttl"), [("", 1200), (f", exp: {int(NOW) + 400}", 400)])
def test_a_token_without_exp_lives_as_long_as_its_issuer_allows(exp: str, ttl: int) -> None:
    (result,) = results(CORP % exp)

    assert isinstance(result.decision, Permit)
    assert result.decision.ttl == ttl


def test_what_is_asked_counts() -> None:
    asked = "request: {audience: 'https://deploy.example.com', scope: deploy:read, expires_in: 2m}"

    assert result_of(
        f"claims: {CLAIMS}, {asked}, expect: {{permit: {{scopes: [deploy:read], ttl: 2m}}}}"
    ).holds


def test_results_come_in_the_order_of_the_tests() -> None:
    tests = "".join(f"- {{name: t{n}, issuer: github, expect: deny}}\n" for n in range(5))

    found = results(f"tests:\n{tests}")

    assert [result.test.name for result in found] == ["t0", "t1", "t2", "t3", "t4"]


def test_a_set_without_tests_has_no_results() -> None:
    assert results(WEB) == []


# --- what a failing test says ---------------------------------------------------------------------


def test_a_missed_permit_names_the_nearest_policy_and_what_it_missed_by() -> None:
    fault = fault_of("base: push, claims: {ref: refs/heads/x}, expect: permit")

    assert fault == (
        "expected permit, got deny no_policy_matched: nearest is policy `p` (test.yaml:2),"
        " ref: expected refs/heads/main, got refs/heads/x"
    )


def test_a_missed_permit_at_an_issuer_without_policies_says_so() -> None:
    fault = fault_of("base: push, expect: permit", "")

    assert fault.endswith(
        "got deny no_policy_matched: no allow policy of issuer `github` comes near"
    )


def test_another_account_asked_for_is_said() -> None:
    fault = fault_of("base: push, request: {client_id: repo-ci}, expect: permit")

    assert fault.endswith("another service account was asked for")


def test_an_unexpected_permit_says_what_was_given_and_by_which_policy() -> None:
    fault = fault_of("base: push, expect: {deny: no_policy_matched}")

    assert fault == (
        "expected deny no_policy_matched, got permit as `deploy-web` with scopes"
        " deploy:read deploy:write at `deploy-api`, by policy `p`"
    )


def test_another_reason_than_the_expected_one_is_a_failure() -> None:
    fault = fault_of(
        "base: push, request: {audience: deploy-api, scope: admin}, expect: {deny: blocked}"
    )

    assert fault == "expected deny blocked, got deny scope_not_allowed (admin), by policy `p`"


@pytest.mark.parametrize(
    ("expected", "sentence"),
    [
        ("{service_account: repo-ci}", "permit as `repo-ci`, got service account `deploy-web`"),
        ("{scopes: [admin]}", "permit with scope admin, got scopes deploy:read deploy:write"),
        ("{scopes: []}", "permit with no scopes, got scopes deploy:read deploy:write"),
        ("{ttl: 5m}", "permit for 5m, got a lifetime of 10m"),
        (
            "{service_account: a, ttl: 1h}",
            "permit as `a` for 1h, got service account `deploy-web`; a lifetime of 10m",
        ),
    ],
)
def test_a_permit_that_differs_says_in_what(expected: str, sentence: str) -> None:
    assert fault_of(f"base: push, expect: {{permit: {expected}}}") == f"expected {sentence}"


def test_an_ambiguous_account_lists_the_choice() -> None:
    two = WEB + policy("{repository: acme/web}", service_account="repo-ci").replace(
        "policies:\n  p:", "  q:"
    )

    fault = fault_of("base: push, request: {audience: deploy-api}, expect: permit", two)

    assert fault == (
        "expected permit, got deny ambiguous_account (`deploy-web`, `repo-ci`), by policies"
        " `p`, `q`"
    )


def test_what_a_test_writes_never_breaks_the_line() -> None:
    fault = fault_of('base: push, claims: {ref: "a\\nb"}, expect: permit')

    assert "\n" not in fault
    assert "got a\\nb" in fault


def test_only_the_first_hundred_failures_are_searched_for_a_near_policy() -> None:
    tests = "".join(
        f"- {{name: t{n}, issuer: github, base: push, claims: {{ref: x}}, expect: permit}}\n"
        for n in range(MAX_EXPLAINED + 1)
    )

    found = results(f"{WEB}tests:\n{tests}")

    assert found[-2].fault == f"{found[-1].fault}: {str(found[0].fault).partition(': ')[2]}"
    assert found[-1].fault == "expected permit, got deny no_policy_matched"


# --- refusing a set -------------------------------------------------------------------------------


def test_a_set_whose_tests_fail_is_refused_with_the_place_of_each() -> None:
    text = (
        "tests:\n"
        "- {name: one, issuer: github, expect: permit}\n"
        "- {name: two, issuer: github, expect: deny}\n"
        "- {name: three, issuer: github, expect: permit}\n"
    )

    with pytest.raises(ConfigurationError) as caught:
        refuse_failed(results(text))

    places = [str(problem).split(": ", 1) for problem in caught.value.problems]
    assert [place for place, _ in places] == ["test.yaml:2:3", "test.yaml:4:3"]
    assert places[0][1].startswith("test `one` fails: expected permit, got deny")


def test_the_name_of_a_test_never_breaks_the_line_of_its_problem() -> None:
    with pytest.raises(ConfigurationError) as caught:
        refuse_failed(results('tests: [{name: "a\\nb", issuer: github, expect: permit}]'))

    assert "\n" not in str(caught.value)


def test_a_set_whose_tests_hold_is_not_refused() -> None:
    refuse_failed(results(f"{WEB}tests: [{{name: t, issuer: github, base: push, expect: permit}}]"))


# --- what has lapsed ------------------------------------------------------------------------------


EXPIRED = policy("{repository: acme/web}", expires="2026-01-01")


def test_a_test_that_fails_because_a_policy_has_expired_has_lapsed() -> None:
    result = result_of("base: push, expect: permit", EXPIRED)

    assert result.lapsed
    assert result.fault is not None
    assert result.fault.endswith("nearest is policy `p` (test.yaml:2), it has expired")


def test_before_the_day_the_same_test_holds() -> None:
    assert result_of("base: push, expect: permit", EXPIRED, now=1_700_000_000).holds


def test_a_deny_policy_that_has_expired_lapses_its_test() -> None:
    text = WEB + (
        "  d: {effect: deny, issuer: github, match: {repository: acme/web}, expires: 2026-01-01}\n"
    )

    result = result_of("base: push, expect: {deny: denied_by_policy}", text)

    assert result.lapsed


def test_throwing_the_switch_of_an_account_lapses_its_tests_and_refuses_nothing() -> None:
    text = (
        "service_accounts: {stopped: {grants: {plain: []}, enabled: false}}\n"
        + policy("{repository: acme/web}", service_account="stopped")
        + "tests: [{name: t, issuer: github, base: push, expect: permit}]"
    )

    (result,) = results(text)
    refuse_failed([result])

    assert result.lapsed
    assert result.fault == "expected permit, got deny account_disabled (stopped), by policy `p`"


def test_a_test_that_fails_either_way_has_not_lapsed() -> None:
    result = result_of("base: push, claims: {repository: acme/x}, expect: permit", EXPIRED)

    assert not result.lapsed
    with pytest.raises(ConfigurationError):
        refuse_failed([result])


def test_a_policy_that_only_observes_does_not_lapse_a_test() -> None:
    observing = policy("{repository: acme/web}", mode="observe")

    assert not result_of("base: push, expect: permit", observing).lapsed


def test_a_switched_off_issuer_fails_no_test() -> None:
    text = (
        "issuers: {corp: {preset: github, issuer: 'https://g.example', enabled: false}}\n"
        + policy("{repository: acme/web}", "corp")
        + "tests: [{name: t, issuer: corp, base: push, expect: permit}]"
    )

    assert results(text)[0].holds


def test_an_account_that_no_file_defines_is_refused_as_in_a_broker_without_it() -> None:
    text = policy("{repository: acme/web}", service_account="m-1", grants="{plain: []}")

    result = result_of("base: push, expect: {deny: account_disabled}", text)

    assert result.holds
    assert result.decision.policies == ("p",)
    assert getattr(result.decision, "reason", None) is Reason.ACCOUNT_DISABLED
