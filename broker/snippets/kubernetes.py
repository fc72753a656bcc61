"""Kubernetes: the API server trusts the broker, and roles are bound to service accounts."""

from typing import Final

from broker.snippets.quoting import quoted
from broker.snippets.template import Code, fill, template
from broker.snippets.trust import SnippetFile, Trust

PREFIX: Final = "broker:"
"""What user names and groups begin with, so that none is one that Kubernetes knows."""

_GROUPS: Final = """\
      groups: {claim: groups, prefix: «prefix»}
"""

_GROUP_RULES: Final = """\
      - expression: "user.groups.all(group, !group.startsWith('system:'))"
        message: groups of the system are not the broker's to give
"""

_SUBJECT: Final = """\
  - apiGroup: rbac.authorization.k8s.io
    kind: User
    name: «user»
"""


def files(trust: Trust) -> list[SnippetFile]:
    """Write the configuration of the API server, and a binding for the service accounts."""
    has_groups = "groups" in trust.service.claims
    authentication = fill(
        template("authentication-config.yaml"),
        quoted,
        issuer=trust.issuer,
        audience=trust.service.audience,
        exact_audience=f"claims.aud == {quoted(trust.service.audience)}",
        prefix=PREFIX,
        groups=Code(fill(_GROUPS, quoted, prefix=PREFIX) if has_groups else ""),
        group_rules=Code(_GROUP_RULES if has_groups else ""),
    )
    subjects = [fill(_SUBJECT, quoted, user=PREFIX + each.sub) for each in trust.subjects]
    binding = fill(
        template("role-binding.yaml"),
        quoted,
        name=f"broker-{trust.service.name}",
        subjects=Code("".join(subjects)),
    )
    return [
        SnippetFile("authentication-config.yaml", authentication),
        SnippetFile("role-binding.yaml", binding),
    ]
