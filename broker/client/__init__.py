"""For pipelines and programs: the ID token that a job holds, and the service token that it buys.

`TokenSource` gives tokens and renews them; `BearerAuth` puts them on requests of httpx. Everything
here raises `ClientError`, whose subclasses say what kind of trouble it is.
"""

from typing import TYPE_CHECKING

from broker.client.errors import (
    BrokerTrouble,
    ClientError,
    IdentityExpired,
    Misuse,
    NoIdentity,
    Refused,
)
from broker.client.service_token import ServiceToken

if TYPE_CHECKING:
    from broker.client.bearer_auth import BearerAuth
    from broker.client.token_source import TokenSource

__all__ = [
    "BearerAuth",
    "BrokerTrouble",
    "ClientError",
    "IdentityExpired",
    "Misuse",
    "NoIdentity",
    "Refused",
    "ServiceToken",
    "TokenSource",
]


def __getattr__(name: str) -> object:
    """Import what needs httpx when it is asked for, so that a cached token costs no such import."""
    if name == "TokenSource":
        from broker.client.token_source import TokenSource

        return TokenSource
    if name == "BearerAuth":
        from broker.client.bearer_auth import BearerAuth

        return BearerAuth
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
