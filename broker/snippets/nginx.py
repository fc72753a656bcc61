"""nginx: `auth_request` to a small verifier beside it."""

from broker.snippets.python import arguments
from broker.snippets.quoting import quoted
from broker.snippets.template import fill, template
from broker.snippets.trust import SnippetFile, Trust


def files(trust: Trust) -> list[SnippetFile]:
    """Write the server of nginx, and the verifier; nginx itself is told nothing of the service."""
    verifier = fill(
        template("verifier.py.txt"),
        quoted,
        issuer=trust.issuer,
        audience=trust.service.audience,
        token_type=trust.service.token_typ,
        scopes=arguments(trust.scopes),
    )
    return [
        SnippetFile("service.conf", template("service.conf")),
        SnippetFile("verifier.py", verifier),
    ]
