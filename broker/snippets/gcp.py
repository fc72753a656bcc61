"""Google Cloud by Terraform: a workload identity pool with the broker as its provider."""

import re
from typing import Final

from broker.snippets.quoting import hcl_quoted, quoted
from broker.snippets.template import Code, fill, template
from broker.snippets.terraform import label
from broker.snippets.trust import SnippetFile, Trust

MIN_PROVIDER_ID: Final = 4
MAX_PROVIDER_ID: Final = 32

_NOT_IN_ID: Final = re.compile("[^a-z0-9-]")


def files(trust: Trust) -> list[SnippetFile]:
    """Write pool, provider, and who may act as a service account of Google's."""
    subs = [each.sub for each in trust.subjects]
    listed = ", ".join(map(quoted, subs))
    text = fill(
        template("gcp.tf"),
        hcl_quoted,
        label=Code(label(trust.service.name)),
        provider=provider_id(trust.service.name),
        condition=f'assertion.token_type == "service" && assertion.sub in [{listed}]',
        issuer=trust.issuer,
        audience=trust.service.audience,
        subs=subs,
    )
    return [SnippetFile("gcp.tf", text)]


def provider_id(name: str) -> str:
    """Make the id of a provider of a service's name: 4 to 32 of a-z, 0-9 and -."""
    text = _NOT_IN_ID.sub("-", name.lower())
    if len(text) < MIN_PROVIDER_ID or text.startswith("gcp-"):
        text = f"ci-{text}-ci" if len(text) == 1 else f"ci-{text}"
    return text[:MAX_PROVIDER_ID]
