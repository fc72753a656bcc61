"""GitLab CI: one ID token for each name below `id_tokens`, made when the job starts."""

import re
from collections.abc import Mapping
from typing import Final

from broker.client.ambient.given_token import TokenInVariable
from broker.client.errors import NoIdentity

_OVER: Final = (
    "GitLab makes it when the job starts, for as long as the job may run: raise the job's"
    " `timeout`, or fetch the service token earlier"
)


def gitlab(environment: Mapping[str, str], audience: str) -> TokenInVariable:
    """Find the job's ID token. `audience` is the one it is for, where that is known.

    Raises `NoIdentity`.
    """
    for variable in ("BROKER_ID_TOKEN", *_named_after(audience)):
        token = environment.get(variable)
        if token:
            return TokenInVariable("GitLab CI", variable, token, _OVER)
    shown = audience or "https://broker.example.com"
    raise NoIdentity(
        "GitLab gave this job no ID token. Add to the job:\n\n"
        f"id_tokens:\n  BROKER_ID_TOKEN:\n    aud: {shown}"
    )


def _named_after(audience: str) -> list[str]:
    """Give the name that other tools use: the audience in capitals, all else as `_`."""
    if not audience:
        return []
    return [re.sub(r"[^A-Z0-9]", "_", audience.upper()) + "_ID_TOKEN"]
