"""AWS by Terraform: the broker as an OIDC provider, and a role that its service accounts assume."""

from typing import Final

from broker.snippets.quoting import hcl_quoted
from broker.snippets.template import Code, fill, template
from broker.snippets.terraform import label
from broker.snippets.trust import SnippetFile, Trust

MAX_ROLE_NAME: Final = 64


def files(trust: Trust) -> list[SnippetFile]:
    """Write the provider and one role, which no other `aud` and `sub` can assume."""
    # AWS names the keys of conditions by the provider's URL without its scheme.
    provider = trust.issuer.partition("://")[2]
    text = fill(
        template("aws.tf"),
        hcl_quoted,
        issuer=trust.issuer,
        audience=trust.service.audience,
        label=Code(label(trust.service.name)),
        role=trust.service.name[:MAX_ROLE_NAME],
        aud_key=f"{provider}:aud",
        aud_value=_literal(trust.service.audience),
        sub_key=f"{provider}:sub",
        subs=[_literal(each.sub) for each in trust.subjects],
    )
    return [SnippetFile("aws.tf", text)]


def _literal(text: str) -> str:
    """Keep AWS from reading a variable in a value of a condition; it writes `${$}` for a dollar."""
    return text.replace("${", "${$}{")
