"""Microsoft Entra: a federated identity credential for each service account."""

import json
import re
from typing import Final

from broker.snippets.trust import SnippetFile, Trust

MAX_NAME: Final = 120

_NOT_IN_NAME: Final = re.compile("[^A-Za-z0-9_-]")


def files(trust: Trust) -> list[SnippetFile]:
    """Write the parameters of `az ad app federated-credential create --id APP --parameters FILE`.

    Entra compares issuer, subject and audience exactly, and an application has at most 20 of these.
    """
    return [
        SnippetFile(f"{_NOT_IN_NAME.sub('-', each.sub)}.json", _credential(trust, each.sub))
        for each in trust.subjects
    ]


def _credential(trust: Trust, sub: str) -> str:
    credential = {
        "name": _NOT_IN_NAME.sub("-", f"{trust.service.name}-{sub}")[:MAX_NAME],
        "description": f"{sub} for the service {trust.service.name}",
        "issuer": trust.issuer,
        "subject": sub,
        "audiences": [trust.service.audience],
    }
    return json.dumps(credential, indent=2) + "\n"
