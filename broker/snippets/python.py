"""A Python service: `broker.verify` in FastAPI."""

from collections.abc import Sequence

from broker.snippets.quoting import quoted
from broker.snippets.template import Code, fill, template
from broker.snippets.trust import SnippetFile, Trust


def files(trust: Trust) -> list[SnippetFile]:
    """Write a service; any other framework takes the same verifier."""
    text = fill(
        template("service.py.txt"),
        quoted,
        issuer=trust.issuer,
        audience=trust.service.audience,
        token_type=trust.service.token_typ,
        scopes=arguments(trust.scopes),
    )
    return [SnippetFile("service.py", text)]


def arguments(scopes: Sequence[str]) -> Code:
    """Write scopes as arguments behind another one."""
    return Code("".join(f", {quoted(scope)}" for scope in scopes))
