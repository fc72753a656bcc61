"""Services of every shape that one account is granted, as policy files of a broker that serves."""

import json
from typing import Any, Final

from tests.interop.foreign.servers import REPOSITORY
from tests.snippets.trusts import HOSTILE, SCOPES

_PULL: Final = {"type": "repository", "name": "{metadata.image}", "actions": ["pull"]}
_GROUPS: Final = {"groups": ["ci", "team:{metadata.team}"]}

AUDIENCES: Final[dict[str, str]] = {
    "deploy-api": HOSTILE,
    "deploy-es": HOSTILE + "/es",
    "deploy-ed": HOSTILE + "/ed",
    "cluster": "https://kubernetes.example.com",
    "other-cluster": "https://kubernetes-2.example.com",
    "aws": "sts.amazonaws.com",
    "gcp": "https://gcp.example.com",
    "entra": "api://AzureADTokenExchange",
    "images": "https://registry.example.com",
    "other-images": "https://registry-2.example.com",
}
"""By the names of the services."""

_SHAPES: Final[dict[str, dict[str, Any]]] = {
    "deploy-api": {"scopes": dict.fromkeys(SCOPES, "Deploy")},
    "deploy-es": {"signing_alg": "ES256"},
    "deploy-ed": {"signing_alg": "EdDSA", "token_typ": "JWT"},
    "cluster": {"profile": "kubernetes", "claims": _GROUPS},
    "other-cluster": {"profile": "kubernetes", "claims": _GROUPS},
    "aws": {"profile": "aws", "session_tags": {"team": "{metadata.team}"}},
    "gcp": {"profile": "gcp", "claims": _GROUPS},
    "entra": {"profile": "entra"},
    "images": {"token_typ": "JWT", "claims": {"access": [_PULL]}},
    "other-images": {"token_typ": "JWT", "claims": {"access": [_PULL]}},
}


def of_every_shape() -> str:
    """Give two accounts, for pushes to main and to another branch, that may go everywhere."""
    match = {"repository_id": 456789, "repository_owner_id": 1234567}
    branches = {"deploy-web": "refs/heads/main", "else": "refs/heads/else"}
    metadata = {"team": "web", "image": REPOSITORY}
    grants = {name: list(_SHAPES[name].get("scopes", {})) for name in _SHAPES}
    return json.dumps(
        {
            "services": {name: {"audience": AUDIENCES[name], **_SHAPES[name]} for name in _SHAPES},
            "service_accounts": {
                name: {"grants": grants, "metadata": metadata} for name in branches
            },
            "policies": {
                name: {
                    "service_account": name,
                    "issuer": "dev-github",
                    "match": {**match, "ref": ref},
                }
                for name, ref in branches.items()
            },
        }
    )
