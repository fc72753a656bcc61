"""The claims of CI tokens as GitHub and GitLab mint them today, composed from a few facts.

Change a fact and what the platform derives from it changes too. The issuer fills in `iss`, `aud`,
the times and `jti` (`FakeIssuer.token`). Sources: GitHub's OpenID Connect reference, GitLab's
`lib/gitlab/ci/jwt.rb` and `jwt_v2.rb`.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final

# What the issuer fills in: None is kept for these, so that the issuer leaves them out.
ISSUER_CLAIMS: Final = frozenset({"iss", "aud", "iat", "nbf", "exp", "jti"})

_SHA: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_PULL_REQUEST: Final = {"ref": "refs/pull/42/merge"}
_BRANCHES: Final = {"base_ref": "main", "head_ref": "feature/x"}

# What an event says of the ref it runs on; every other one runs on the default branch.
_GITHUB_EVENTS: Final[Mapping[str, Mapping[str, str]]] = {
    "pull_request": _PULL_REQUEST | _BRANCHES,
    "pull_request_review": _PULL_REQUEST,
    "pull_request_review_comment": _PULL_REQUEST,
    "pull_request_target": _BRANCHES,
    "release": {"ref": "refs/tags/v1.0.0"},
    "merge_group": {"ref": f"refs/heads/gh-readonly-queue/main/pr-42-{_SHA}"},
}

_GITLAB_SOURCES: Final[Mapping[str, Mapping[str, str]]] = {
    "merge_request_event": {"ref": "feature-x"},
    "external_pull_request_event": {"ref": "feature-x"},
}

# How GitLab guesses a tier from an environment's name, in its order.
_TIERS: Final = {
    "development": ("dev", "review", "trunk"),
    "testing": ("test", "qa", "quality"),
    "staging": ("stag", "stg", "pre", "demo"),
    "production": ("prod", "live"),
}


def github_claims(*, immutable_sub: bool = False, **overrides: object) -> dict[str, Any]:
    """Give the claims of a GitHub Actions token; by default of a push to main of acme/web.

    Each override is a claim; None removes it. `repository`, `ref`, `event_name`, `sha`,
    `workflow_ref` and `environment` carry over to what GitHub derives from them, unless that is
    overridden as well. Ids are facts of their own: another repository needs another
    `repository_id`. `immutable_sub` gives `sub` the form that names owner and repository by id
    (repositories made or renamed since 2026-07-15).
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    facts: dict[str, Any] = {
        "repository": "acme/web",
        "repository_id": "456789",
        "repository_owner_id": "1234567",
        "event_name": "push",
        "ref": "refs/heads/main",
        "sha": _SHA,
    }
    facts |= _GITHUB_EVENTS.get(str(given.get("event_name")), {})
    facts |= given
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
    return _without(claims, overrides)


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
    return (
        "EN_" + base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()[:16]).decode()[:22]
    )


def gitlab_claims(**overrides: object) -> dict[str, Any]:
    """Give the claims of a GitLab CI ID token; by default of a push to main of acme/web.

    Each override is a claim; None removes it. `project_path`, `project_id`, `namespace_id`, `ref`,
    `ref_type`, `pipeline_source`, `sha` and `environment` carry over to what GitLab derives from
    them, unless that is overridden as well. Ids are facts of their own.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    facts: dict[str, Any] = {
        "project_id": "20",
        "project_path": "acme/web",
        "namespace_id": "72",
        "pipeline_source": "push",
        "ref": "main",
        "ref_type": "branch",
        "sha": _SHA,
    }
    facts |= _GITLAB_SOURCES.get(str(given.get("pipeline_source")), {})
    facts |= given
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
    return _without(claims, overrides)


def _tier(environment: str) -> str:
    name = environment.lower()
    for tier, marks in _TIERS.items():
        if any(mark in name for mark in marks):
            return tier
    return "other"


def _without(claims: Mapping[str, Any], overrides: Mapping[str, object]) -> dict[str, Any]:
    """Take the removed claims out, in a fixed order of names."""
    removed = {name for name, value in overrides.items() if value is None}
    kept = {name: claims[name] for name in sorted(claims) if name not in removed}
    return kept | dict.fromkeys(sorted(removed & ISSUER_CLAIMS))
