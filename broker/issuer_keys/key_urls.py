"""The only URLs that are ever fetched: what the configuration names, and no other host.

`httpx.URL` reads them, as it also connects: no second parser can see another host in them.
"""

from typing import Final

import httpx

from broker.core.loopback import is_loopback
from broker.issuer_keys.key_fetch import FetchFailed

_DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
_MAX_LENGTH: Final = 2048


def configured(url: str, *, broker_on_loopback: bool) -> httpx.URL:
    """Read a URL that the operator wrote: any host, https, http for loopback on loopback alone.

    Raises `FetchFailed`.
    """
    try:
        read = httpx.URL(url)
    except httpx.InvalidURL:
        raise FetchFailed(f"{_quoted(url)} is not a URL") from None
    if read.userinfo:
        raise FetchFailed("the URL of the keys holds a user name or password")
    if not read.raw_host:
        raise FetchFailed(f"{_quoted(url)} names no host")
    if read.scheme == "https":
        return read
    if read.scheme != "http":
        raise FetchFailed(f"{_quoted(url)} is not https")
    if not (broker_on_loopback and is_loopback(read.host)):
        raise FetchFailed(
            f"{_quoted(url)} is not https; plain http is for loopback, while the broker is on"
            " loopback itself"
        )
    return read


def discovery(issuer_url: str, *, broker_on_loopback: bool) -> httpx.URL:
    """Find an issuer's discovery document (OpenID Connect Discovery §4).

    Raises `FetchFailed`.
    """
    url = issuer_url.removesuffix("/") + _DISCOVERY_PATH
    return configured(url, broker_on_loopback=broker_on_loopback)


def discovered(jwks_uri: object, issuer_url: str, *, broker_on_loopback: bool) -> httpx.URL:
    """Read the `jwks_uri` of a discovery document: on the issuer's own host (attacks row 25).

    Raises `FetchFailed`.
    """
    if not isinstance(jwks_uri, str) or len(jwks_uri) > _MAX_LENGTH or not jwks_uri.isascii():
        raise FetchFailed("the discovery document has no usable 'jwks_uri'")
    read = configured(jwks_uri, broker_on_loopback=broker_on_loopback)
    if read.raw_host != httpx.URL(issuer_url).raw_host:
        raise FetchFailed(
            f"the discovery document puts the keys on another host, {_quoted(read.host)}; if that"
            " is meant, configure it as the issuer's jwks_uri"
        )
    return read


def _quoted(text: str) -> str:
    """Quote what may come from a server: ASCII, one line, not endless, without query."""
    return ascii(text.partition("?")[0][:200])
