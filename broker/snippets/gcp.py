"""Google Cloud by Terraform: a workload identity pool with the broker as its only provider."""

import re
from typing import Final

from broker.core.policy import Service
from broker.snippets.quoting import hcl_quoted, quoted
from broker.snippets.template import Code, fill, template
from broker.snippets.terraform import label
from broker.snippets.trust import SnippetFile, Trust

MIN_ID: Final = 4
MAX_ID: Final = 32

_NOT_IN_ID: Final = re.compile("[^a-z0-9-]")
# The audience that Google expects by default: the name of the provider.
_PROVIDER: Final = re.compile(
    r"https://iam\.googleapis\.com/projects/[^/]+/locations/global"
    r"/workloadIdentityPools/([a-z0-9-]{4,32})/providers/([a-z0-9-]{4,32})"
)


def files(trust: Trust) -> list[SnippetFile]:
    """Write pool, provider, and who may act as a service account of Google's."""
    subs = [each.sub for each in trust.subjects]
    listed = ", ".join(map(quoted, subs))
    pool, provider = ids(trust.service)
    text = fill(
        template("gcp.tf"),
        hcl_quoted,
        label=Code(label(trust.service.name)),
        pool=pool,
        provider=provider,
        condition=f'assertion.token_type == "service" && assertion.sub in [{listed}]',
        issuer=trust.issuer,
        audience=trust.service.audience,
        subs=subs,
    )
    return [SnippetFile("gcp.tf", text)]


def ids(service: Service) -> tuple[str, str]:
    """Give the ids of pool and provider: those in the audience, else made of the service's name.

    Each is 4 to 32 of a-z, 0-9 and -.
    """
    if named := _PROVIDER.fullmatch(service.audience):
        return named[1], named[2]
    text = _NOT_IN_ID.sub("-", service.name.lower())
    if len(text) < MIN_ID or text.startswith("gcp-"):
        text = f"ci-{text}-ci" if len(text) == 1 else f"ci-{text}"
    return text[:MAX_ID], text[:MAX_ID]
