"""The claims of CI tokens as GitHub and GitLab mint them today, for the fake issuers.

They are the typical claims that tests of policies start from (`broker.core.typical_claims`). The
issuer fills in `iss`, `aud`, the times and `jti` (`FakeIssuer.token`).
"""

from typing import Any, Final

from broker.core.typical_claims import typical_claims

# What the issuer fills in: None is kept for these, so that the issuer leaves them out.
ISSUER_CLAIMS: Final = frozenset({"iss", "aud", "iat", "nbf", "exp", "jti"})


def github_claims(*, immutable_sub: bool = False, **overrides: object) -> dict[str, Any]:
    """Give the claims of a GitHub Actions token; by default of a push to main of acme/web.

    Each override is a claim; None removes it. `repository`, `ref`, `event_name`, `sha`,
    `workflow_ref` and `environment` carry over to what GitHub derives from them, unless that is
    overridden as well. Ids are facts of their own: another repository needs another
    `repository_id`. `immutable_sub` gives `sub` the form that names owner and repository by id
    (repositories made or renamed since 2026-07-15).
    """
    claims = typical_claims("github", "push", overrides, immutable_sub=immutable_sub)
    return claims | _left_out(overrides)


def gitlab_claims(**overrides: object) -> dict[str, Any]:
    """Give the claims of a GitLab CI ID token; by default of a push to main of acme/web.

    Each override is a claim; None removes it. `project_path`, `project_id`, `namespace_id`, `ref`,
    `ref_type`, `pipeline_source`, `sha` and `environment` carry over to what GitLab derives from
    them, unless that is overridden as well. Ids are facts of their own.
    """
    return typical_claims("gitlab", "push", overrides) | _left_out(overrides)


def _left_out(overrides: dict[str, object]) -> dict[str, None]:
    removed = {name for name, value in overrides.items() if value is None}
    return dict.fromkeys(sorted(removed & ISSUER_CLAIMS))
