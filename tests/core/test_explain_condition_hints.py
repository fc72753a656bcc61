"""The fix for a condition that does not hold: one sentence, with the line to write."""

import json
from bisect import bisect_left
from pathlib import Path
from typing import Any

import pytest

from broker.core.globs import PatternRefused, compile_regex
from tests.core.builders import (
    NOW,
    a_policy,
    a_policy_set,
    a_service,
    an_issuer,
    github_claims,
    gitlab_claims,
    other_claims,
)
from tests.core.explain_cases import (
    excluding,
    explained,
    fix,
    gitlab_policy,
    glob,
    no_preset_policy,
    present,
    regex,
    requiring,
    web_policy,
)

REAL_TOKENS = Path("../shared/fixtures")


def test_a_value_that_the_policy_lacks_is_to_be_added() -> None:
    policy = web_policy(ref=["refs/heads/main", glob("refs/heads/rel/*")])

    assert fix(policy, github_claims(ref="refs/heads/release/1.4")) == (
        "add refs/heads/release/1.4 to `ref` of policy web-production: `ref: [refs/heads/main,"
        ' {glob: "refs/heads/rel/*"}, refs/heads/release/1.4]`'
    )


def test_each_condition_that_fails_has_a_line_of_its_own() -> None:
    policy = web_policy(ref="refs/tags/v1", workflow="release")

    assert fix(policy, github_claims(ref="refs/tags/v2")).splitlines() == [
        "add refs/tags/v2 to `ref` of policy web-production: `ref: [refs/tags/v1, refs/tags/v2]`",
        "add deploy to `workflow` of policy web-production: `workflow: [release, deploy]`",
    ]


def test_an_event_that_outsiders_cause_is_named_only_by_who_means_it() -> None:
    assert fix(web_policy(), github_claims(event_name="pull_request_target")) == (
        "the event is pull_request_target, which outsiders can cause: name it in `event_name` of"
        " policy web-production if you mean it: `event_name: pull_request_target`"
    )


def test_the_guard_and_a_condition_on_the_event_have_one_line_together() -> None:
    policy = web_policy(event_name="push")

    assert fix(policy, github_claims(event_name="pull_request")) == (
        "the event is pull_request, which outsiders can cause: name it in `event_name` of policy"
        " web-production if you mean it: `event_name: [push, pull_request]`"
    )


def test_a_trusted_event_that_the_policy_does_not_name_comes_without_warning() -> None:
    assert fix(web_policy(event_name="push"), github_claims(event_name="schedule")) == (
        "the event is schedule: name it in `event_name` of policy web-production if you mean it:"
        " `event_name: [push, schedule]`"
    )


def test_an_event_beside_a_condition_that_excludes_others_is_named_instead_of_it() -> None:
    policy = web_policy(event_name=excluding("schedule"))

    assert fix(policy, github_claims(event_name="issues")).endswith("`event_name: issues`")


def test_a_token_without_event_names_none() -> None:
    assert fix(web_policy(), github_claims(event_name="")) == (
        "the token does not say what started the pipeline: it has no `event_name`"
    )


def test_an_event_that_the_policy_excludes_is_not_proposed() -> None:
    policy = web_policy(event_name=excluding("push"))

    assert fix(policy) == "policy web-production excludes `event_name` push by `not`"


def test_a_job_that_names_no_environment_is_told_to() -> None:
    policy = web_policy(environment=["production", "staging"])

    assert fix(policy) == (
        "the job names no `environment`: add `environment: production` to the job"
    )


def test_an_environment_that_only_has_to_be_there_is_absent() -> None:
    assert fix(web_policy(environment=present())) == "the token has no `environment`"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"ref_protected": "false"}, "branch main"),
        ({"ref_protected": "false", "ref": "v1", "ref_type": "tag"}, "tag v1"),
    ],
)
def test_an_unprotected_branch_or_tag_is_to_be_protected(
    changes: dict[str, Any], what: str
) -> None:
    told = fix(gitlab_policy(ref_protected=True), gitlab_claims(**changes), issuer="gitlab")

    assert told == f"`ref_protected` is 'false': protect the {what}"


def test_an_unprotected_environment_is_to_be_protected() -> None:
    policy = gitlab_policy(environment_protected=True)
    claims = gitlab_claims(environment="production", environment_protected="false")

    assert fix(policy, claims, issuer="gitlab") == (
        "`environment_protected` is 'false': protect the environment production"
    )


def test_another_flag_that_is_false_is_a_value_like_any_other() -> None:
    policy = web_policy(custom=True)

    assert fix(policy, github_claims(custom="false")) == (
        "add false to `custom` of policy web-production: `custom: [true, false]`"
    )


def test_a_job_on_another_runner_is_told_which() -> None:
    policy = web_policy(runner_environment="github-hosted")

    assert fix(policy, github_claims(runner_environment="self-hosted")) == (
        "the job runs on a self-hosted runner: let it run on a github-hosted one"
    )


def test_a_claim_of_the_other_platform_is_named_as_it_is_here() -> None:
    on_github = web_policy(pipeline_source="push")
    on_gitlab = gitlab_policy(event_name="push")

    assert (
        fix(on_github)
        == "tokens of this platform have no `pipeline_source`; theirs is `event_name`"
    )
    assert fix(on_gitlab, gitlab_claims(), issuer="gitlab") == (
        "tokens of this platform have no `event_name`; theirs is `pipeline_source`"
    )


def test_a_misspelt_claim_is_recognised() -> None:
    assert fix(web_policy(reff="refs/heads/main")) == (
        "the token has no `reff`; did you mean `ref`?"
    )


def test_a_claim_that_is_there_but_empty_is_not_taken_for_a_misspelt_one() -> None:
    assert (
        fix(web_policy(head_ref="x"), github_claims(head_ref="")) == "the token has no `head_ref`"
    )


def test_not_needs_the_claim_to_be_there() -> None:
    policy = web_policy(enterprise=excluding("acme"))

    assert fix(policy) == "the token has no `enterprise`; `not` needs one too"


def test_a_value_without_text_is_never_compared() -> None:
    assert fix(web_policy(custom="1.5"), github_claims(custom=1.5)) == (
        "`custom` is 1.5: only text, whole numbers, true and false are compared"
    )


def test_a_list_without_the_element_wanted_is_shown() -> None:
    policy = web_policy(teams="web")

    assert fix(policy, github_claims(teams=["api", "ops"])) == (
        "no element of `teams` [api, ops] is one that policy web-production names"
    )


def test_a_pull_requests_ref_is_explained() -> None:
    policy = web_policy(ref="refs/heads/main", event_name="pull_request")
    claims = github_claims(ref="refs/pull/42/merge", event_name="pull_request")

    assert fix(policy, claims) == (
        "`ref` is refs/pull/42/merge: the job runs for a pull request, on code that is not merged"
        " yet; let it run on push"
    )


def test_github_names_refs_in_full() -> None:
    policy = web_policy(ref=["main", glob("release/*"), glob("refs/tags/*"), regex("x|y")])

    assert fix(policy) == (
        "`ref` is the full name here, refs/heads/main: write `ref: [refs/heads/main,"
        ' {glob: "refs/heads/release/*"}, {glob: "refs/tags/*"}, {regex: "x|y"}]`'
    )


def test_github_names_tags_in_full() -> None:
    told = fix(web_policy(ref="v1"), github_claims(ref="refs/tags/v1"))

    assert told == "`ref` is the full name here, refs/tags/v1: write `ref: refs/tags/v1`"


def test_a_literal_that_is_in_full_already_stays() -> None:
    told = fix(web_policy(ref=["refs/heads/x", "main"]))

    assert told.endswith("write `ref: [refs/heads/x, refs/heads/main]`")


def test_gitlab_names_refs_in_short() -> None:
    policy = gitlab_policy(ref="refs/heads/main")

    assert fix(policy, gitlab_claims(), issuer="gitlab") == (
        "`ref` is the short name here, main: match `ref_path: refs/heads/main` instead"
    )


def test_the_calling_workflow_and_the_called_one_are_told_apart() -> None:
    caller = "acme/web/.github/workflows/deploy.yml@refs/heads/main"
    called = "acme/shared/.github/workflows/deploy.yml@refs/heads/main"

    told = fix(
        web_policy(job_workflow_ref=caller),
        github_claims(job_workflow_ref=called, workflow_ref=caller),
    )

    assert told == (
        "`job_workflow_ref` is the file that the job runs, `workflow_ref` the one that called it;"
        f" what the policy expects is in the other one: match `workflow_ref: {caller}` instead"
    )


def test_another_workflow_altogether_is_a_value_like_any_other() -> None:
    told = fix(web_policy(job_workflow_ref="acme/x@refs/heads/main"))

    assert told.startswith("add acme/web/.github/workflows/deploy.yml@refs/heads/main to")


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        ("refs/heads/Main", "`ref: refs/heads/main`"),
        (["refs/heads/Main", "x"], "`ref: [refs/heads/Main, x, refs/heads/main]`"),
    ],
)
def test_a_difference_in_letter_case_alone_is_pointed_out(expected: Any, line: str) -> None:
    told = fix(web_policy(ref=expected))

    assert told.startswith("upper and lower case differ: `ref` is refs/heads/main, policy")
    assert told.endswith(f"write {line}")


def test_a_star_that_stops_too_early_is_pointed_out() -> None:
    policy = web_policy(ref=["x", glob("refs/heads/release/*")])

    assert fix(policy, github_claims(ref="refs/heads/release/1/2")) == (
        "`*` stops at `/`, `:` and `@`, and `ref` is refs/heads/release/1/2; `**` does not stop:"
        ' `ref: [x, {glob: "refs/heads/release/**"}]`'
    )


def test_a_star_outside_a_glob_is_pointed_out() -> None:
    policy = web_policy(ref=["refs/heads/main", "refs/heads/release/*"])

    assert fix(policy, github_claims(ref="refs/heads/release/1")) == (
        "a star is a wildcard in a glob alone, and `ref` is refs/heads/release/1: write"
        ' `ref: [refs/heads/main, {glob: "refs/heads/release/*"}]`'
    )


def test_a_star_is_no_wildcard_for_another_tenant() -> None:
    policy = a_policy("anybody", {"repository_owner_id": "1", "repository": "acme/*"})

    assert "glob" not in (explained(policy).fix or "")


def test_a_regex_that_covers_only_a_part_is_pointed_out() -> None:
    policy = web_policy(ref=["x", regex("release")])

    assert fix(policy, github_claims(ref="refs/heads/release/1")) == (
        "a regex must match the whole value, and `ref` is refs/heads/release/1: make"
        " [x, {regex: release}] cover all of it"
    )


def test_a_regex_that_fills_the_memory_of_re2_is_not_searched_for() -> None:
    sizes = range(1_000_000)
    largest = bisect_left(sizes, 1, key=lambda size: int(not _compiles("x" * size))) - 1
    policy = web_policy(ref=regex("x" * largest))

    assert 0 < largest < len(sizes) - 1
    assert fix(policy).startswith("add refs/heads/main to `ref` of policy web-production")


def _compiles(pattern: str) -> bool:
    try:
        compile_regex(pattern)
    except PatternRefused:
        return False
    return True


def test_an_excluded_value_is_pointed_out() -> None:
    policy = web_policy(ref=excluding(glob("refs/heads/*")))

    assert fix(policy) == "policy web-production excludes `ref` refs/heads/main by `not`"


def test_what_the_issuer_requires_is_said_to_be_its() -> None:
    policies = a_policy_set(
        web_policy(), issuers=[an_issuer(require=requiring(repository_owner_id="42"))]
    )

    assert fix(policies) == (
        "issuer github requires `repository_owner_id: 42` of every token, and"
        " `repository_owner_id` is 123456"
    )


def test_what_the_service_requires_is_first_sought_in_the_job() -> None:
    strict = a_service(require=requiring(runner_environment="github-hosted", workflow=glob("rel*")))

    told = fix(
        a_policy_set(web_policy(), services=[strict]),
        github_claims(runner_environment="self-hosted"),
    )

    assert told.splitlines() == [
        "the job runs on a self-hosted runner: let it run on a github-hosted one",
        'the service requires `workflow: {glob: "rel*"}` of every token, and `workflow` is deploy',
    ]


def test_a_pointer_is_a_claim_like_any_other() -> None:
    policies = no_preset_policy(match={"organization_id": "acme-1", "/k8s/namespace": "web"})

    told = fix(policies, other_claims(k8s={"namespace": "api"}), issuer="ci")
    absent = fix(policies, other_claims(), issuer="ci")

    assert told == ('add api to `/k8s/namespace` of policy ci-web: `"/k8s/namespace": [web, api]`')
    assert absent == "the token has no `/k8s/namespace`"


def test_an_expired_policy_is_to_be_prolonged() -> None:
    policy = a_policy("web-production", expires_at=float(NOW - 86_400))

    assert fix(policy) == "policy web-production expired on 2026-11-20: give it a later `expires`"


def test_what_a_job_calls_itself_never_begins_a_line_nor_moves_the_cursor() -> None:
    hostile = "::add-mask::\r\n\x1b[2Jrefs\u202e" + "x" * 300

    told = fix(web_policy(ref="refs/heads/main"), github_claims(ref=hostile))

    assert told.isprintable()
    assert told.startswith("add ::add-mask::\\r\\n\\x1b[2Jrefs\\u202exxx")
    assert "..." in told


@pytest.mark.parametrize(
    "path", sorted(REAL_TOKENS.glob("git*/*.json")), ids=lambda path: path.stem
)
def test_every_real_token_is_explained(path: Path) -> None:
    claims = json.loads(path.read_text())["claims"]
    preset = path.parent.name
    identity = "repository_id" if preset == "github" else "project_id"
    policy = a_policy("real", {identity: claims.get(identity, "1"), "ref": "x"}, issuer=preset)

    explanation = explained(policy, claims, issuer=preset)

    assert explanation.decision == "deny"
    assert bool(explanation.fix) == (identity in claims or "repository" in claims)
