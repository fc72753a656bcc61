"""Client credentials that a request carries, wherever it carries them (RFC 6749 §2.3.1)."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote_plus

from starlette.types import Scope

from broker.core.client_assertion import made_by_client
from broker.core.errors import Reason, RequestRefused
from broker.core.vocabulary import ASSERTION_TYPE_JWT, GRANT_CLIENT_CREDENTIALS
from broker.grants.request import AssertedCredentials, Credentials, Parameters, single
from broker.http.parameters import header_values

_CREDENTIALS: Final = frozenset({"client_secret", "client_assertion", "client_assertion_type"})


def read_credentials(
    scope: Scope, parameters: Parameters
) -> Credentials | AssertedCredentials | None:
    """Read the client credentials of a request; None when it has none.

    An empty Basic pair counts as none: some clients probe with it first. Raises `RequestRefused`:
    `malformed_request` for two ways at once and for two client ids; `client_unknown_or_bad_secret`
    for a header that is not Basic or cannot be read, and for an assertion of another type, or
    beside another way.
    """
    values = header_values(scope, b"authorization")
    if not values and _CREDENTIALS.isdisjoint(parameters):
        return None
    basic = _basic(values) if values else None
    secret = single(parameters, "client_secret")
    asserted = _asserted(parameters)
    if asserted is not None:
        if basic is not None or secret is not None:
            # RFC 7521 §4.2.1 has a code of its own for this.
            raise _bad("use one way of client authentication, not an assertion and another")
        return asserted
    if basic is not None and secret is not None:
        raise _malformed("use one way of client authentication, not two")
    client_id = single(parameters, "client_id")
    if basic is not None:
        if client_id not in (None, basic.client_id):
            raise _malformed("'client_id' names another client than the Basic header")
        return basic
    return None if secret is None else Credentials(client_id or "", secret)


def is_used_by_grant(parameters: Parameters) -> bool:
    """Tell whether the grant that is asked for authenticates the client itself."""
    return single(parameters, "grant_type") == GRANT_CLIENT_CREDENTIALS


def _asserted(parameters: Parameters) -> AssertedCredentials | None:
    assertion = single(parameters, "client_assertion")
    assertion_type = single(parameters, "client_assertion_type")
    if assertion is None and assertion_type is None:
        return None
    if assertion is None or assertion_type != ASSERTION_TYPE_JWT:
        raise _bad(f"a client assertion is a JWT, of 'client_assertion_type' {ASSERTION_TYPE_JWT}")
    token = made_by_client(assertion)
    return AssertedCredentials(assertion, token, single(parameters, "client_id"))


def _basic(values: Sequence[str]) -> Credentials | None:
    """Read the Basic header; each half is form-encoded (CA-01), or needs no encoding (CA-02)."""
    if len(values) > 1 or "," in values[0]:
        # A proxy and the broker could read different ones (attacks row 189).
        raise _malformed("send one Authorization header")
    scheme, _, encoded = values[0].partition(" ")
    if scheme.lower() != "basic":
        # RFC 6749 §5.2: also of a method that is not known, with a challenge for one that is.
        raise _bad("the only Authorization here is Basic, of a client's id and secret", basic=True)
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode()
        client_id, colon, secret = pair.partition(":")
        client_id, secret = (unquote_plus(half, errors="strict") for half in (client_id, secret))
    except (binascii.Error, ValueError):
        raise _bad(
            "the Basic header is no base64 of a client's id and secret", basic=True
        ) from None
    empty = colon and not client_id and not secret
    return None if empty else Credentials(client_id, secret, with_basic=True)


def _bad(description: str, *, basic: bool = False) -> RequestRefused:
    return RequestRefused(Reason.CLIENT_UNKNOWN_OR_BAD_SECRET, description, with_basic=basic)


def _malformed(description: str) -> RequestRefused:
    return RequestRefused(Reason.MALFORMED_REQUEST, description)
