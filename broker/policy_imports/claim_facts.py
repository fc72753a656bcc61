"""What is known of single claims of each platform: of which type they are, and when they are there.

Peers compare texts with texts; the broker also reads numbers and booleans as text, and looks into
lists. Where a claim is a text in every token of a platform, both come to the same. Sources:
GitHub's OpenID Connect reference, GitLab's `lib/gitlab/ci/jwt.rb` and `jwt_v2.rb`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ClaimFacts:
    """What tokens of one platform have."""

    texts: frozenset[str]
    """Claims that are a text in every token that has them."""

    text_prefix: str | None
    """How further claims begin that are texts, and may be empty."""

    always: frozenset[str]
    """Those that no token is without, and that are never empty."""

    may_be_empty: frozenset[str]
    """Those that may be the empty text, which is absent to the broker."""

    def is_text(self, claim: str) -> bool:
        """Tell whether a claim is known to be a text wherever it is."""
        return claim in self.texts or self._is_further(claim)

    def is_empty_at_times(self, claim: str) -> bool:
        """Tell whether a claim may be the empty text."""
        return claim in self.may_be_empty or self._is_further(claim)

    def _is_further(self, claim: str) -> bool:
        return self.text_prefix is not None and claim.startswith(self.text_prefix)


_GITHUB: Final = ClaimFacts(
    texts=frozenset({
        "actor", "actor_id", "base_ref", "check_run_id", "enterprise", "enterprise_id",
        "environment", "environment_node_id", "event_name", "head_ref", "job_workflow_ref",
        "job_workflow_sha", "ref", "ref_protected", "ref_type", "repository", "repository_id",
        "repository_owner", "repository_owner_id", "repository_visibility", "run_attempt",
        "run_id", "run_number", "runner_environment", "sha", "sub", "workflow", "workflow_ref",
        "workflow_sha",
    }),
    text_prefix="repo_property_",
    always=frozenset({
        "actor", "event_name", "job_workflow_ref", "repository", "repository_owner", "run_id",
        "sha", "sub",
    }),
    may_be_empty=frozenset({"base_ref", "head_ref", "ref"}),
)  # fmt: skip

_GITLAB: Final = ClaimFacts(
    texts=frozenset({
        "ci_config_ref_uri", "ci_config_sha", "deployment_tier", "environment",
        "environment_action", "environment_protected", "job_id", "job_namespace_id",
        "job_namespace_path", "job_project_id", "job_project_path", "job_source", "namespace_id",
        "namespace_path", "pipeline_id", "pipeline_source", "project_id", "project_path",
        "project_visibility", "ref", "ref_path", "ref_protected", "ref_type",
        "runner_environment", "sha", "sub", "user_access_level", "user_email", "user_id",
        "user_login",
    }),
    text_prefix=None,
    always=frozenset({
        "job_id", "namespace_id", "namespace_path", "pipeline_id", "pipeline_source",
        "project_id", "project_path", "ref", "ref_protected", "ref_type", "sub", "user_id",
        "user_login",
    }),
    may_be_empty=frozenset({"ci_config_sha", "user_email"}),
)  # fmt: skip

FACTS: Final[Mapping[str, ClaimFacts]] = {"github": _GITHUB, "gitlab": _GITLAB}
"""What is known, by preset."""
