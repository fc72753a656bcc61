"""For services: who calls, by a service token of the broker, verified here and by its keys alone.

`Verifier` reads tokens. `broker.verify.asgi`, `.starlette`, `.wsgi` and `.flask` put it before an
application. Everything here raises `TokenError`, whose subclasses say how a service answers.
"""

from broker.verify.errors import (
    InsufficientScope,
    MalformedCredentials,
    NoToken,
    NotVerifiable,
    Reason,
    TokenError,
    TokenRefused,
)
from broker.verify.introspection import Introspection
from broker.verify.verified_token import Actor, VerifiedToken, Workload
from broker.verify.verifier import Verifier

__all__ = [
    "Actor",
    "InsufficientScope",
    "Introspection",
    "MalformedCredentials",
    "NoToken",
    "NotVerifiable",
    "Reason",
    "TokenError",
    "TokenRefused",
    "VerifiedToken",
    "Verifier",
    "Workload",
]
