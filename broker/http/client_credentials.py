"""Client credentials that a token request carries, wherever it carries them.

Credentials that are present are always judged, even where the grant needs none: bad ones fail the
request. No account of this version has credentials, so none that is presented can be good.
"""

import base64
import binascii
from typing import Final

from starlette.types import Scope

from broker.core.errors import Reason, RequestRefused
from broker.grants.request import Parameters, single
from broker.http.parameters import header_values

_BODY_CREDENTIALS: Final = ("client_secret", "client_assertion", "client_assertion_type")


def refuse_credentials(scope: Scope, parameters: Parameters) -> None:
    """Refuse a request with client credentials (RFC 6749 §2.3.1, RFC 7521 §4.2.1).

    An empty Basic pair counts as no credentials: some clients probe with it first. Raises
    `RequestRefused`: `malformed_request` for several or unreadable ones, else
    `client_unknown_or_bad_secret`.
    """
    with_basic = _has_basic(header_values(scope, b"authorization"))
    in_body = [name for name in _BODY_CREDENTIALS if single(parameters, name) is not None]
    if with_basic and in_body == ["client_secret"]:
        raise RequestRefused(
            Reason.MALFORMED_REQUEST, "use one way of client authentication, not two"
        )
    if with_basic or in_body:
        raise RequestRefused(
            Reason.CLIENT_UNKNOWN_OR_BAD_SECRET,
            "the client is unknown or its credentials are wrong; a CI job needs none here",
            with_basic=with_basic and not in_body,
        )


def _has_basic(values: list[str]) -> bool:
    """Tell whether Basic credentials are there."""
    if not values:
        return False
    if len(values) > 1 or "," in values[0]:
        # A proxy and the broker could read different ones (attacks row 189).
        raise RequestRefused(Reason.MALFORMED_REQUEST, "send one Authorization header")
    scheme, _, credentials = values[0].partition(" ")
    if scheme.lower() != "basic":
        raise RequestRefused(
            Reason.MALFORMED_REQUEST, "the token endpoint knows no Authorization but Basic"
        )
    try:
        return base64.b64decode(credentials.strip(), validate=True) != b":"
    except (binascii.Error, ValueError):
        raise RequestRefused(Reason.MALFORMED_REQUEST, "the Basic header is unreadable") from None
