"""A Spring Boot service: a resource server that takes tokens of this one type."""

from typing import Final

from broker.snippets.quoting import quoted
from broker.snippets.template import Code, fill, template
from broker.snippets.trust import SnippetFile, Trust

_SCOPE_IMPORTS: Final = """\

import static org.springframework.security.authorization.AuthorityAuthorizationManager.hasAuthority;
import static org.springframework.security.authorization.AuthorizationManagers.allOf;
"""


def files(trust: Trust) -> list[SnippetFile]:
    """Write where the keys are, and the beans that decode tokens and ask for scopes.

    What the policy files say stands in Java: Spring reads `${…}` in its properties.
    """
    application = fill(
        template("application.yaml"), quoted, issuer=trust.issuer, jwks_uri=trust.jwks_uri
    )
    authorities = [f"hasAuthority({quoted('SCOPE_' + scope)})" for scope in trust.scopes]
    access = f"access(allOf({', '.join(authorities)}))" if authorities else "authenticated()"
    configuration = fill(
        template("ServiceTokens.java"),
        quoted,
        scope_imports=Code(_SCOPE_IMPORTS if authorities else ""),
        audience=trust.service.audience,
        token_type=trust.service.token_typ,
        algorithm=Code(trust.service.signing_alg),
        access=Code(access),
    )
    return [
        SnippetFile("application.yaml", application),
        SnippetFile("ServiceTokens.java", configuration),
    ]
