"""For pipelines and programs: the ID token that a job holds, and the service token that it buys.

`TokenSource` gives tokens and renews them; `BearerAuth` puts them on requests of httpx. Everything
here raises `ClientError`, whose subclasses say what kind of trouble it is.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from broker.client.bearer_auth import BearerAuth
    from broker.client.errors import (
        BrokerTrouble,
        ClientError,
        IdentityExpired,
        Misuse,
        NoIdentity,
        Refused,
    )
    from broker.client.service_token import ServiceToken
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

# By name, so that a token from the cache waits for none of these imports.
_MODULES = {
    "BearerAuth": "bearer_auth",
    "ServiceToken": "service_token",
    "TokenSource": "token_source",
}


def __getattr__(name: str) -> object:
    """Import what is asked for."""
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    return getattr(import_module(f"broker.client.{_MODULES.get(name, 'errors')}"), name)
