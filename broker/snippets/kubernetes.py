"""Kubernetes: the API server trusts the broker, and roles are bound to service accounts."""

from typing import Final

from broker.snippets.quoting import quoted
from broker.snippets.template import Code, fill, template
from broker.snippets.trust import SnippetFile, Trust

PREFIX: Final = "broker:"
"""What user names and groups begin with, so that none is one that Kubernetes knows."""

_SUBJECT: Final = """\
  - apiGroup: rbac.authorization.k8s.io
    kind: User
    name: «user»
"""


def files(trust: Trust) -> list[SnippetFile]:
    """Write the configuration of the API server, and a binding for the service accounts."""
    authentication = fill(
        template("authentication-config.yaml"),
        quoted,
        issuer=trust.issuer,
        audience=trust.service.audience,
        exact_audience=f"claims.aud == {quoted(trust.service.audience)}",
        prefix=PREFIX,
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
