"""The claims that a job typically brings, by preset and event: what tests of policies start from.

A few facts (which repository, which ref, which event) and what the platform derives from them:
change a fact and the rest follows. Sources: GitHub's OpenID Connect reference, GitLab's
`lib/gitlab/ci/jwt.rb` and `jwt_v2.rb`.
"""

import base64
import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

_SHA: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_BRANCHES: Final = {"base_ref": "main", "head_ref": "feature/x"}
_PULL_REQUEST: Final = {"ref": "refs/pull/42/merge"}
_BRANCH_OF_GITLAB: Final = {"ref": "feature-x"}

# What an event says beyond its name; every one that says nothing runs on the default branch.
_GITHUB_EVENTS: Final[Mapping[str, Mapping[str, str]]] = {
    "branch_protection_rule": {},
    "check_run": {},
    "check_suite": {},
    "create": {"ref": "refs/heads/feature/x"},
    "delete": {},
    "deployment": {},
    "deployment_status": {},
    "discussion": {},
    "discussion_comment": {},
    "fork": {},
    "gollum": {},
    "image_version": {},
    "issue_comment": {},
    "issues": {},
    "label": {},
    "merge_group": {"ref": f"refs/heads/gh-readonly-queue/main/pr-42-{_SHA}"},
    "milestone": {},
    "page_build": {},
    "public": {},
    "pull_request": _PULL_REQUEST | _BRANCHES,
    "pull_request_review": _PULL_REQUEST,
    "pull_request_review_comment": _PULL_REQUEST,
    "pull_request_target": _BRANCHES,
    "push": {},
    "registry_package": {},
    "release": {"ref": "refs/tags/v1.0.0"},
    "repository_dispatch": {},
    "schedule": {},
    "status": {},
    "watch": {},
    "workflow_dispatch": {},
    "workflow_run": {},
}
_GITLAB_SOURCES: Final[Mapping[str, Mapping[str, str]]] = {
    "api": {},
    "chat": {},
    "external": {},
    "external_pull_request_event": _BRANCH_OF_GITLAB,
    "merge_request_event": _BRANCH_OF_GITLAB,
    "ondemand_dast_scan": {},
    "ondemand_dast_validation": {},
    "parent_pipeline": {},
    "pipeline": {},
    "push": {},
    "schedule": {},
    "security_orchestration_policy": {},
    "trigger": {},
    "web": {},
    "webide": {},
}

TYPICAL_EVENTS: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = MappingProxyType(
    {"github": MappingProxyType(_GITHUB_EVENTS), "gitlab": MappingProxyType(_GITLAB_SOURCES)}
)
"""Preset → event → the claims that the event itself decides."""

# How GitLab guesses a tier from an environment's name, in its order.
_TIERS: Final = {
    "development": ("dev", "review", "trunk"),
    "testing": ("test", "qa", "quality"),
    "staging": ("stag", "stg", "pre", "demo"),
    "production": ("prod", "live"),
}


def typical_claims(
    preset: str, event: str, overrides: Mapping[str, object], *, immutable_sub: bool = False
) -> dict[str, Any]:
    """Give the claims of a job of acme/web that an event started, with some claims changed.

    What the platform derives from an override changes too, unless that is overridden as well; None
    removes a claim. Ids are facts of their own: another repository needs another `repository_id`.
    `immutable_sub` gives GitHub's `sub` the form that names owner and repository by id
    (repositories made or renamed since 2026-07-15). The event wins that the overrides name. What
    belongs to one token alone is not here: `iss`, `aud`, the times and `jti`.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    if preset == "gitlab":
        claims = _gitlab_claims({"pipeline_source": event} | given)
    else:
        claims = _github_claims({"event_name": event} | given, immutable_sub=immutable_sub)
    removed = {name for name, value in overrides.items() if value is None}
    return {name: claims[name] for name in sorted(claims) if name not in removed}


def _github_claims(given: Mapping[str, Any], *, immutable_sub: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "repository": "acme/web",
        "repository_id": "456789",
        "repository_owner_id": "1234567",
        "ref": "refs/heads/main",
        "sha": _SHA,
        **_GITHUB_EVENTS.get(str(given["event_name"]), {}),
        **given,
    }
    repository, ref, sha = str(facts["repository"]), str(facts["ref"]), facts["sha"]
    workflow_ref = given.get(
        "workflow_ref", f"{repository}/.github/workflows/deploy.yml@{ref or sha}"
    )
    claims = {
        "actor": "octocat",
        "actor_id": "583231",
        "base_ref": "",
        "check_run_id": "113475122442",
        "head_ref": "",
        "job_workflow_ref": workflow_ref,
        "job_workflow_sha": sha,
        # Another branch is not protected before somebody says so.
        "ref_protected": "true" if ref == "refs/heads/main" else "false",
        "ref_type": "tag" if ref.startswith("refs/tags/") else "branch",
        "repository_owner": repository.partition("/")[0],
        "repository_visibility": "private",
        "run_attempt": "1",
        "run_id": "37824901043",
        "run_number": "7",
        "runner_environment": "github-hosted",
        "workflow": "Deploy",
        "workflow_ref": workflow_ref,
        "workflow_sha": sha,
    } | facts
    if claims.get("environment"):
        claims.setdefault("environment_node_id", _environment_node_id(claims))
    claims.setdefault("sub", _github_sub(claims, immutable=immutable_sub))
    return claims


def _github_sub(claims: Mapping[str, Any], *, immutable: bool) -> str:
    """Compose `sub` as GitHub does by default: the first context that applies hides the others.

    A `:` inside a value becomes `%3A`; a `%` stays as it is.
    """
    owner, _, name = str(claims["repository"]).partition("/")
    if immutable:
        owner += f"@{claims['repository_owner_id']}"
        name += f"@{claims['repository_id']}"
    if claims.get("environment"):
        context = "environment:" + str(claims["environment"]).replace(":", "%3A")
    elif str(claims["event_name"]).startswith("pull_request") and (
        claims["event_name"] != "pull_request_target"
    ):
        context = "pull_request"
    else:
        context = "ref:" + str(claims["ref"]).replace(":", "%3A")
    return f"repo:{owner}/{name}:{context}"


def _environment_node_id(claims: Mapping[str, Any]) -> str:
    """Name an environment for good, whatever the case in which a job writes its name."""
    name = f"{claims['repository_id']}/{str(claims['environment']).lower()}"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:16]
    return "EN_" + base64.urlsafe_b64encode(digest).decode()[:22]


def _gitlab_claims(given: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "project_id": "20",
        "project_path": "acme/web",
        "namespace_id": "72",
        "ref": "main",
        "ref_type": "branch",
        "sha": _SHA,
        **_GITLAB_SOURCES.get(str(given["pipeline_source"]), {}),
        **given,
    }
    project_path, ref, ref_type = (str(facts[name]) for name in ("project_path", "ref", "ref_type"))
    namespace_path = given.get("namespace_path", project_path.rpartition("/")[0])
    ref_path = given.get("ref_path", f"refs/{'tags' if ref_type == 'tag' else 'heads'}/{ref}")
    claims = {
        "namespace_path": namespace_path,
        "user_id": "1",
        "user_login": "sample-user",
        "user_email": "sample-user@example.com",
        "user_access_level": "developer",
        "job_namespace_id": facts["namespace_id"],
        "job_namespace_path": namespace_path,
        "job_project_id": facts["project_id"],
        "job_project_path": project_path,
        "pipeline_id": "574",
        "job_id": "302",
        "job_source": facts["pipeline_source"],
        "ref_path": ref_path,
        # Another branch is not protected before somebody says so.
        "ref_protected": "true" if (ref, ref_type) == ("main", "branch") else "false",
        # A number, where all the other ids are strings.
        "runner_id": 1,
        "runner_environment": "gitlab-hosted",
        "project_visibility": "private",
        "ci_config_ref_uri": f"gitlab.com/{project_path}//.gitlab-ci.yml@{ref_path}",
        "ci_config_sha": facts["sha"],
    } | facts
    if claims.get("environment"):
        claims = {
            "environment_protected": "false",
            "deployment_tier": _tier(str(claims["environment"])),
            "environment_action": "start",
        } | claims
    claims.setdefault("sub", f"project_path:{project_path}:ref_type:{ref_type}:ref:{ref}")
    return claims


def _tier(environment: str) -> str:
    name = environment.lower()
    for tier, marks in _TIERS.items():
        if any(mark in name for mark in marks):
            return tier
    return "other"
