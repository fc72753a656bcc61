"""Who is calling: the request id and the client's address, neither of which is believed blindly."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from starlette.types import Scope

from broker.grants.request import Caller
from broker.http.parameters import header_values

Networks = Sequence[IPv4Network | IPv6Network]

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def acceptable_request_id(values: Sequence[str]) -> str | None:
    """Keep an incoming `X-Request-Id` when it is harmless (attacks row 190), else None."""
    if len(values) == 1 and _REQUEST_ID.fullmatch(values[0]):
        return values[0]
    return None


def caller_of(scope: Scope, trusted_proxies: Networks) -> Caller:
    """Describe the caller of a request for the audit."""
    client = scope.get("client")
    peer = client[0] if client else None
    forwarded = header_values(scope, b"x-forwarded-for") if trusted_proxies else []
    return Caller(scope["state"]["request_id"], client_address(peer, forwarded, trusted_proxies))


def client_address(
    peer: str | None, forwarded_for: Sequence[str], trusted_proxies: Networks
) -> str | None:
    """Find the address that the last trusted proxy saw.

    `X-Forwarded-For` is read from its end, as far as trusted proxies wrote it (attacks row 123).
    """
    hops = [hop.strip() for value in forwarded_for for hop in value.split(",")]
    address = peer
    while hops and address is not None and _is_within(address, trusted_proxies):
        candidate = hops.pop()
        if not _is_address(candidate):
            break
        address = candidate
    return address


def _is_within(address: str, networks: Networks) -> bool:
    if not _is_address(address):
        return False
    parsed = ip_address(address)
    # Sockets that take both kinds write an IPv4 address so.
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)


def _is_address(text: str) -> bool:
    # What follows `%` means something to one machine alone, and could be any text of any length.
    if "%" in text:
        return False
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
