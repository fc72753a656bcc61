"""The fix for a condition on the tenant or on `sub`: it never leaves the tenant."""

from typing import Any

import pytest

from tests.core.builders import a_policy, a_policy_set, an_issuer, github_claims, gitlab_claims
from tests.core.explain_cases import (
    IMMUTABLE_SUB,
    excluding,
    explained,
    fix,
    gitlab_policy,
    glob,
    regex,
    web_policy,
)

MAIN_SUB = "repo:acme/web:ref:refs/heads/main"


def test_the_immutable_form_of_sub_is_recognised() -> None:
    policy = a_policy("web", {"sub": MAIN_SUB})

    assert fix(policy, github_claims(sub=IMMUTABLE_SUB)) == (
        f"the token's `sub` has the new immutable form {IMMUTABLE_SUB}; match"
        " `repository_id: 456789` and `ref: refs/heads/main` instead"
    )


def test_a_glob_over_sub_becomes_a_glob_over_its_claim() -> None:
    policy = a_policy(
        "web", {"repository_owner_id": "123456", "sub": glob("repo:acme/web:ref:refs/heads/*")}
    )

    assert fix(policy, github_claims(sub=IMMUTABLE_SUB)).endswith(
        'match `repository_id: 456789` and `ref: {glob: "refs/heads/*"}` instead'
    )


def test_the_classic_form_of_sub_is_recognised_where_the_immutable_one_is_expected() -> None:
    assert fix(a_policy("web", {"sub": IMMUTABLE_SUB})) == (
        f"the token's `sub` has the classic form {MAIN_SUB}, without ids; match"
        " `repository_id: 456789` and `ref: refs/heads/main` instead"
    )


def test_an_environment_hides_the_ref_in_sub() -> None:
    claims = github_claims(sub="repo:acme/web:environment:production", environment="production")

    assert fix(a_policy("web", {"sub": MAIN_SUB}), claims) == (
        "`environment` is set, so `sub` carries no ref; match `repository_id: 456789` and"
        " `ref: refs/heads/main` and `environment: production` instead"
    )


def test_an_environment_that_the_job_does_not_name_is_missing_in_sub() -> None:
    policy = a_policy("web", {"sub": "repo:acme/web:environment:production"})

    assert fix(policy) == (
        "the job names no `environment`, so `sub` carries none: add `environment: production` to"
        " the job; match `repository_id: 456789` and `environment: production` instead"
    )


@pytest.mark.parametrize("expected", ["Production:V1", "Production%3AV1"])
def test_a_colon_inside_a_value_is_escaped_in_sub(expected: str) -> None:
    """Both environments have the same `sub`; only the claim tells them apart."""
    policy = a_policy("web", {"sub": f"repo:acme/web:environment:{expected}", "ref": "x"})
    claims = github_claims(
        sub="repo:acme@123456/web@456789:environment:Production%3AV1", environment="Production:V1"
    )

    told = fix(policy, claims).splitlines()[0]

    assert told.endswith("; match `repository_id: 456789` and `environment: Production:V1` instead")
    assert told.startswith("`:` inside a value is written %3A") == (expected == "Production:V1")


def test_another_environment_in_sub_is_admitted_beside_the_one_meant() -> None:
    policy = a_policy("web", {"sub": "repo:acme/web:environment:production"})
    claims = github_claims(sub="repo:acme/web:environment:staging", environment="staging")

    assert fix(policy, claims) == (
        "`sub` is repo:acme/web:environment:staging; match `repository_id: 456789` and"
        " `environment: [production, staging]` instead"
    )


def test_another_ref_in_sub_is_admitted_beside_the_one_meant() -> None:
    claims = github_claims(sub="repo:acme/web:ref:refs/heads/dev", ref="refs/heads/dev")

    assert fix(a_policy("web", {"sub": ["x", MAIN_SUB]}), claims).endswith(
        "match `repository_id: 456789` and `ref: [refs/heads/main, refs/heads/dev]` instead"
    )


def test_a_pull_request_hides_the_ref_in_sub() -> None:
    policy = a_policy("web", {"sub": MAIN_SUB, "event_name": "pull_request"})
    claims = github_claims(sub="repo:acme/web:pull_request", event_name="pull_request")

    assert fix(policy, claims) == (
        "the event is pull_request, so `sub` carries no ref: that of a push does; match"
        " `repository_id: 456789` and `ref: refs/heads/main` instead"
    )


def test_a_sub_that_means_pull_requests_becomes_the_event() -> None:
    policy = a_policy("web", {"sub": "repo:acme/web:pull_request"})

    assert "match `repository_id: 456789` and `event_name: [pull_request, push]`" in fix(policy)


@pytest.mark.parametrize(
    "sub", ["job_workflow_ref:acme/x/deploy.yml@refs/heads/main", "repo:acme/web"]
)
def test_a_form_of_the_repositorys_own_is_recognised(sub: str) -> None:
    assert fix(a_policy("web", {"sub": MAIN_SUB}), github_claims(sub=sub)) == (
        f"`sub` has a form of its own here, {sub}; match `repository_id: 456789` and"
        " `ref: refs/heads/main` instead"
    )


def test_claims_that_the_policy_names_already_are_not_proposed_again() -> None:
    claims = github_claims(sub=IMMUTABLE_SUB)

    some = fix(web_policy(sub=MAIN_SUB), claims)
    all_of_them = fix(web_policy(sub=MAIN_SUB, ref="refs/heads/main"), claims)

    assert some.endswith("; match `ref: refs/heads/main` instead")
    assert all_of_them.endswith("; drop the condition on it, the others say the same")


@pytest.mark.parametrize("context", ["", ":*", ":**"])
def test_what_a_glob_leaves_open_in_sub_is_left_open_in_the_claims(context: str) -> None:
    match = {"repository_owner_id": "123456", "sub": glob(f"repo:acme/web{context}")}

    told = fix(a_policy("web", match), github_claims(sub=IMMUTABLE_SUB))

    assert told.endswith("; match `repository_id: 456789` instead")


def test_a_context_of_the_repositorys_own_is_kept_in_the_immutable_form() -> None:
    policy = a_policy("web", {"sub": "repo:acme/web:visibility:private"})
    immutable = "repo:acme@123456/web@456789:visibility:private"

    assert fix(policy, github_claims(sub=immutable)) == (
        f"the token's `sub` has the new immutable form {immutable}: add it,"
        f" `sub: [repo:acme/web:visibility:private, {immutable}]`"
    )


def test_a_context_of_the_repositorys_own_that_differs_is_no_reason_to_drop_it() -> None:
    match = {"repository_owner_id": "123456", "sub": glob("repo:acme/web:visibility:p*")}

    for sub in ("repo:acme/web:visibility:internal", "repo:acme@1/web@2:visibility:internal"):
        told = fix(a_policy("web", match), github_claims(sub=sub))

        assert told.startswith(f"add {sub} to `sub` of policy web: ")


def test_gitlab_names_type_and_ref_in_sub() -> None:
    policy = a_policy(
        "web", {"sub": "project_path:acme/platform/web:ref_type:branch:ref:main"}, issuer="gitlab"
    )
    claims = gitlab_claims(
        sub="project_path:acme/platform/web:ref_type:tag:ref:v1", ref="v1", ref_type="tag"
    )

    assert fix(policy, claims, issuer="gitlab").endswith(
        "match `project_id: 4242` and `ref_type: [branch, tag]` and `ref: [main, v1]` instead"
    )


def test_the_sub_of_another_repository_is_not_explained_away() -> None:
    policy = a_policy("site", {"sub": "repo:acme/site:ref:refs/heads/main"})

    assert fix(policy, github_claims(sub=IMMUTABLE_SUB)) == (
        "no policy is for the tenant of this token: one would begin with `repository_id: 456789`"
    )


def test_a_regex_over_sub_is_a_condition_like_any_other() -> None:
    told = fix(web_policy(sub=regex("repo:acme/web:ref:.*x")))

    assert told.startswith(f"add {MAIN_SUB} to `sub` of policy web-production")


def test_a_sub_without_preset_is_a_claim_like_any_other() -> None:
    issuer = an_issuer("ci", single_tenant=True)
    policies = a_policy_set(a_policy("web", {"sub": "one"}, issuer="ci"), issuers=[issuer])

    told = fix(policies, github_claims(sub="two"), issuer="ci")

    assert told == "add two to `sub` of policy web: `sub: [one, two]`"


@pytest.mark.parametrize(
    ("claim", "meant", "fork", "what"),
    [
        ("project_id", "20", "901", "the fork's project id"),
        ("project_path", "acme/platform/web", "mallory/web", "the fork's project path"),
        ("namespace_id", "72", "900", "the fork's namespace id"),
    ],
)
def test_a_merge_request_from_a_fork_is_recognised(
    claim: str, meant: str, fork: str, what: str
) -> None:
    policy = a_policy("web", {claim: meant}, issuer="gitlab")
    claims = gitlab_claims(
        **{claim: fork, f"job_{claim}": meant}, pipeline_source="merge_request_event"
    )

    assert fix(policy, claims, issuer="gitlab") == (
        f"`{claim}` {fork} is {what}; `job_{claim}` {meant} is the target: a merge request from a"
        " fork cannot act as the target, let a pipeline of the target do this"
    )


def test_a_job_of_another_project_is_no_fork_of_this_one() -> None:
    claims = gitlab_claims(project_id="901", job_project_id="902")

    assert "fork" not in fix(gitlab_policy(), claims, issuer="gitlab")


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        ("acme/old", "`repository: acme/web`"),
        (["acme/old", "acme/older"], "`repository: [acme/old, acme/older, acme/web]`"),
        (glob("acme/old*"), '`repository: [{glob: "acme/old*"}, acme/web]`'),
    ],
)
def test_a_repository_that_was_renamed_gets_its_new_name(expected: Any, line: str) -> None:
    told = fix(web_policy(repository=expected))

    assert told == (
        "`repository_id` holds but the name has changed, `repository` is now acme/web: in policy"
        f" web-production write {line}"
    )


def test_a_name_under_another_id_is_no_reason_to_change_the_policy() -> None:
    """The repository may have been taken over (attacks row 87)."""
    told = fix(web_policy(repository="acme/web", ref="x"), github_claims(repository_id="999"))

    assert told == (
        "`repository` acme/web has `repository_id` 999, not 456789 in policy web-production: it was"
        " made anew, or someone took the name over; find out whose it is first"
    )


def test_a_repository_that_the_policy_excludes_stays_excluded() -> None:
    policy = a_policy("all", {"repository_owner_id": "123456", "repository": excluding("acme/web")})

    assert fix(policy) == "policy all excludes `repository` acme/web by `not`"


@pytest.mark.parametrize(
    "match",
    [
        {"repository": "acme/site", "ref": "x"},
        {"repository_id": "1"},
        {"repository_owner": "other"},
        {"repository_owner_id": ["1", "2"], "repository": "other/web"},
        {"repository_owner_id": "123456", "repository": ["acme/site", "acme/docs"]},
        {"repository_owner_id": "123456", "repository": regex("acme/(site|docs)")},
        {"repository_owner_id": "123456", "repository_id": excluding(glob("*"))},
    ],
)
def test_no_fix_admits_another_tenant(match: dict[str, Any]) -> None:
    claims = github_claims(repository_id="" if "repository_id" in match else "456789")

    told = explained(a_policy("other", match), claims).fix

    assert told is not None
    assert told.startswith("no policy is for the tenant of this token")


def test_a_token_that_names_no_tenant_gets_no_fix() -> None:
    claims = github_claims(
        repository=..., repository_id=..., repository_owner=..., repository_owner_id=...
    )

    assert explained(a_policy("web"), claims).fix is None


def test_the_fix_is_that_of_the_nearest_policy_that_has_one() -> None:
    policies = a_policy_set(
        a_policy("a-elsewhere", {"repository": "acme/site"}),
        a_policy("b-near", {"repository": "acme/web", "ref": "x"}),
    )

    assert fix(policies).startswith("add refs/heads/main to `ref` of policy b-near")
