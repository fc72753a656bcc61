"""A Node service: npm's `jose`, without a framework."""

from broker.snippets.quoting import quoted
from broker.snippets.template import fill, template
from broker.snippets.trust import SnippetFile, Trust


def files(trust: Trust) -> list[SnippetFile]:
    """Write a service."""
    text = fill(
        template("service.mjs"),
        quoted,
        issuer=trust.issuer,
        jwks_uri=trust.jwks_uri,
        audience=trust.service.audience,
        algorithm=trust.service.signing_alg,
        token_type=trust.service.token_typ,
        scopes=trust.scopes,
    )
    return [SnippetFile("service.mjs", text)]
