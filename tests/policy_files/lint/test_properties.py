"""What holds for every set of policies that loads, whatever is in it."""

import json
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from broker.core.decision import DecisionRequest, Permit, decide
from broker.core.errors import ConfigurationError
from broker.core.indexed_policies import IndexedPolicies
from broker.policy_files import LoadedPolicies
from broker.policy_files.check import check
from tests.policy_files.lint.finding import NOW
from tests.policy_files.loading import load_alone

Match = dict[str, Any]

REFS: list[Any] = [
    "refs/heads/main",
    "main",
    ["refs/heads/main", "refs/tags/v1"],
    {"glob": "refs/heads/*"},
    {"glob": "refs/heads/main*"},
    {"glob": "**"},
    {"regex": "refs/heads/.*"},
    {"not": "refs/heads/x"},
    {"present": True},
]
WORKFLOWS: list[Any] = [
    "acme/ci/.github/workflows/d.yml@refs/heads/main",
    "acme/ci/.github/workflows/d.yml",
    {"glob": "acme/ci/.github/workflows/*.yml@refs/heads/main"},
    {"glob": "acme/**"},
    {"regex": "acme/ci/.*@refs/heads/main"},
]
CHOICES: dict[str, dict[str, list[Any]]] = {
    "github": {
        "repository_id": [456789, ["456789", "456790"], {"glob": "4567*"}, {"present": True}],
        "repository_owner_id": [1234567, {"not": 5}],
        "repository": ["acme/web", "ACME/web", {"glob": "acme/*"}, ["acme/web", {"glob": "a/*"}]],
        "repository_owner": ["acme", {"regex": "acme"}],
        "sub": [
            "repo:acme/web:ref:refs/heads/main",
            "repo:acme@1234567/web@456789:ref:refs/heads/main",
            "repository_id:456789:environment:production",
            "repository_owner:acme",
            {"glob": "repo:acme/web:*"},
            {"regex": "repo:acme.*"},
        ],
        "ref": REFS,
        "ref_type": ["branch", "tag"],
        "ref_protected": [True, {"not": False}],
        "environment": ["production", "PRODUCTION", {"glob": "prod*"}],
        "environment_node_id": ["EN_kw"],
        "event_name": ["push", "pull_request", ["push", "x"], {"glob": "pull*"}, {"not": "push"}],
        "job_workflow_ref": WORKFLOWS,
        "workflow_ref": WORKFLOWS,
        "runner_environment": ["github-hosted"],
        "actor": ["octocat"],
        "workflow": ["Deploy"],
        "repo_property_tier": ["production", {"present": True}],
        "/nested/claim": ["x"],
    },
    "gitlab": {
        "project_id": [4711, {"glob": "47*"}],
        "namespace_id": [42, ["42", "43"]],
        "project_path": ["acme/shop", {"glob": "acme/**"}],
        "namespace_path": ["acme", {"regex": "acme"}],
        "sub": ["project_path:acme/shop:ref_type:branch:ref:main", "project_id:4711"],
        "ref": ["main", "refs/heads/main", {"glob": "*"}],
        "ref_path": REFS,
        "ref_type": ["branch"],
        "ref_protected": [True],
        "environment": ["production", {"glob": "prod*"}],
        "environment_protected": [True, False],
        "pipeline_source": ["push", ["push", "merge_request_event"], {"regex": "m.*"}],
        "job_project_id": [4711],
        "ci_config_ref_uri": ["gitlab.com/acme/ci//.gitlab-ci.yml@refs/heads/main"],
        "user_login": ["octocat"],
    },
    "ci": {
        "organization_id": [7, ["7", "8"], {"not": 9}],
        "ref": REFS,
        "job_workflow_ref": WORKFLOWS,
        "actor": ["octocat"],
    },
}
CHOICES["corp"] = CHOICES["gitlab"]
ISSUERS: dict[str, Any] = {
    "github": {"preset": "github"},
    "gitlab": {"preset": "gitlab"},
    "corp": {
        "preset": "gitlab",
        "issuer": "https://gitlab.corp.example",
        "require": {"namespace_id": 42, "pipeline_source": "push"},
    },
    "ci": {"issuer": "https://ci.example", "tenant": ["organization_id"]},
}
SERVICES = {
    "one": {"audience": "https://1.example", "scopes": {"x:read": "R", "x:write": "W"}},
    "two": {"audience": "https://2.example", "require": {"ref_protected": True}},
}
ACCOUNTS = {
    "all": {"grants": {"one": ["x:*"], "two": []}},
    "writes": {"grants": {"one": ["x:read", "x:write"]}},
    "reads": {"grants": {"one": ["x:read"]}},
    "each": {"grants": {"one": ["x:write"]}, "instances": ["repository_id"]},
}


def matches(issuer: str) -> st.SearchStrategy[Match]:
    claims = {claim: st.sampled_from(values) for claim, values in CHOICES[issuer].items()}
    return st.fixed_dictionaries({}, optional=claims).filter(lambda match: match and len(match) < 7)


@st.composite
def allow_policies(draw: st.DrawFn) -> dict[str, Any]:
    issuer = draw(st.sampled_from(sorted(ISSUERS)))
    more = {
        "grants": st.sampled_from([{"one": ["x:write"]}, {"one": []}, {"two": []}]),
        "ttl": st.just("5m"),
        "expires": st.sampled_from(["2020-01-01", "2026-11-25", "2036-01-01"]),
        "mode": st.just("observe"),
    }
    return {
        "issuer": issuer,
        "match": draw(matches(issuer)),
        "service_account": draw(st.sampled_from(sorted(ACCOUNTS))),
        **draw(st.fixed_dictionaries({}, optional=more)),
    }


@st.composite
def deny_policies(draw: st.DrawFn) -> dict[str, Any]:
    issuer = draw(st.sampled_from(sorted(ISSUERS)))
    services = st.sampled_from([["one"], ["one", "two"]])
    return {
        "effect": "deny",
        "issuer": issuer,
        "match": draw(matches(issuer)),
        **draw(st.fixed_dictionaries({}, optional={"services": services})),
    }


BASE = {"issuers": ISSUERS, "services": SERVICES, "service_accounts": ACCOUNTS}


def loaded(files: dict[str, dict[str, Any]]) -> LoadedPolicies:
    return load_alone({name: json.dumps(content) for name, content in files.items()})


def loads(policy: dict[str, Any]) -> bool:
    """Tell whether a policy is above the floor, so that a set of such policies loads."""
    try:
        loaded({"base.yaml": BASE, "p.yaml": {"policies": {"p": policy}}})
    except ConfigurationError:
        return False
    return True


POLICIES = st.one_of(allow_policies(), allow_policies(), deny_policies()).filter(loads)


@settings(max_examples=200, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(POLICIES, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_every_loadable_set_is_linted_and_the_order_of_files_does_not_matter(
    entries: list[dict[str, Any]], random: Any
) -> None:
    files: dict[str, dict[str, Any]] = {"base.yaml": BASE}
    for number, policy in enumerate(entries):
        files[f"{number}.yaml"] = {"policies": {f"p{number}": policy}}
    shuffled = list(files.items())
    random.shuffle(shuffled)

    report = check([loaded(files)], NOW)

    assert check([loaded(dict(shuffled))], NOW).findings == report.findings
    for found in report.findings:
        assert found.message.endswith(f"(docs/lints/{found.lint.code}.md)")
        assert 0 < found.line <= len(report.sources[found.file].lines)


def value_for(value: Any) -> Any:
    """Give a value that a condition is written to hold for."""
    if isinstance(value, list):
        return value_for(value[0])
    if isinstance(value, dict):
        operand = value.get("glob", value.get("regex", "x"))
        return str(operand).replace("**", "x").replace(".*", "x").replace("*", "x")
    return value if isinstance(value, str) else json.dumps(value)


FOREIGN = {
    "github": {
        "repository_id": "999",
        "repository_owner_id": "888",
        "environment_node_id": "EN_foreign",
    },
    "gitlab": {"project_id": "999", "namespace_id": "888", "job_project_id": "999"},
    "corp": {"project_id": "999", "namespace_id": "888", "job_project_id": "999"},
    "ci": {"organization_id": "999"},
}
FOREIGN_SUBS = [
    "repo:acme/web:ref:refs/heads/main",
    "repo:acme@888/web@999:ref:refs/heads/main",
    "repository_id:999:environment:production",
    "repository_owner:acme",
    "project_path:acme/shop:ref_type:branch:ref:main",
    "project_id:999",
]


@st.composite
def clean_policies(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a policy and complete it as somebody would who wants no findings."""
    policy = draw(allow_policies())
    policy.pop("mode", None)
    policy.pop("expires", None)
    completing: dict[str, Match] = {
        "github": {"repository_id": 456789, "ref": "refs/heads/main"},
        "gitlab": {"project_id": 4711, "ref_path": "refs/heads/main", "ref_protected": True},
        "corp": {"project_id": 4711, "ref_path": "refs/heads/main", "ref_protected": True},
        "ci": {"organization_id": 7},
    }
    wanted = completing[policy["issuer"]]
    kept = draw(st.sets(st.sampled_from(sorted(wanted))))
    policy["match"] |= {claim: value for claim, value in wanted.items() if claim not in kept}
    return policy


@settings(max_examples=200, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    clean_policies(),
    st.sampled_from(FOREIGN_SUBS),
    st.dictionaries(
        st.sampled_from(["ref", "event_name", "environment", "ref_protected", "pipeline_source"]),
        st.sampled_from(["refs/heads/main", "push", "production", "true", "web"]),
    ),
)
def test_a_policy_without_findings_never_permits_a_token_of_another_tenant(
    policy: dict[str, Any], sub: str, other: Match
) -> None:
    assume(loads(policy))
    found_set = loaded({"base.yaml": BASE, "p.yaml": {"policies": {"p": policy}}})
    assume(all(found.file != "p.yaml" for found in check([found_set], NOW).findings))
    issuer = found_set.policy_set.issuers[policy["issuer"]]
    event = {"event_name": "push", "pipeline_source": "push", "exp": NOW + 300}
    meant = {claim: value_for(value) for claim, value in policy["match"].items()}
    claims = {**event, **meant, **other, "sub": sub, **FOREIGN[issuer.name]}

    for service in SERVICES:
        decision = decide(
            claims,
            issuer,
            DecisionRequest((service,)),
            IndexedPolicies.of(found_set.policy_set),
            NOW,
        )
        assert not isinstance(decision, Permit)
