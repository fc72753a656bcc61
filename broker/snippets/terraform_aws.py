"""AWS by Terraform: the broker as an OIDC provider, and a role that its service accounts assume."""

from collections.abc import Sequence
from typing import Final

from broker.snippets.quoting import hcl_quoted
from broker.snippets.template import Code, fill, template
from broker.snippets.terraform import label
from broker.snippets.trust import SnippetFile, Trust

MAX_ROLE_NAME: Final = 64

_TAGS: Final = """\
        "ForAllValues:StringEquals" = { "aws:TagKeys" = [«keys»] }
        # A session without one of them is none of the broker's. What the role may do compares
        # them as aws:PrincipalTag/KEY.
        Null = {
«present»        }
"""


def files(trust: Trust) -> list[SnippetFile]:
    """Write the provider and one role, which no other `aud` and `sub` can assume."""
    # AWS names the keys of conditions by the provider's URL without its scheme.
    provider = trust.issuer.partition("://")[2]
    tags = sorted(trust.service.session_tags)
    actions = ["sts:AssumeRoleWithWebIdentity", *(["sts:TagSession"] if tags else [])]
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
        actions=actions,
        tags=Code(_tags(tags) if tags else ""),
    )
    return [SnippetFile("aws.tf", text)]


def _tags(keys: Sequence[str]) -> str:
    conditions = [hcl_quoted(f"aws:RequestTag/{key}") for key in keys]
    width = max(map(len, conditions))
    present = [f'          {each:{width}} = "false"\n' for each in conditions]
    return fill(_TAGS, hcl_quoted, keys=keys, present=Code("".join(present)))


def _literal(text: str) -> str:
    """Keep AWS from reading a variable in a value of a condition; it writes `${$}` for a dollar."""
    return text.replace("${", "${$}{")
