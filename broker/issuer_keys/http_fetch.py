"""One fetch of one issuer's keys over HTTP: discovery where needed, then the JWKS, all capped."""

import ssl
import zlib
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx

from broker import __version__
from broker.core.issuer_keys import MAX_DOCUMENT_BYTES
from broker.core.json_text import JsonRefused, loads_object
from broker.core.policy import Issuer
from broker.issuer_keys import key_urls
from broker.issuer_keys.key_fetch import FetchFailed

_MEDIA_TYPES: Final = ("application/json", "application/jwk-set+json")
_GZIP_WINDOW: Final = 31
_HEADERS: Final = {
    "User-Agent": f"ci-token-broker/{__version__}",
    "Accept": "application/jwk-set+json, application/json",
    "Accept-Encoding": "identity",
}


class HttpFetch:
    """An issuer's keys from its `jwks_uri`, or from the one that its discovery document names.

    Follows no redirect, keeps no cookie, reads no proxy from the environment. It sets no time
    limit: whoever asks does. Raises `FetchFailed` for unusable certificates or an unusable proxy;
    loading those of the system takes some 20 ms, which is why it is made in a thread.
    """

    def __init__(self, issuer: Issuer, *, broker_on_loopback: bool) -> None:
        self._issuer = issuer
        self._broker_on_loopback = broker_on_loopback
        self._client = _client(issuer.keys.ca_certificates, issuer.keys.proxy)

    async def document(self) -> bytes:
        """Get the JWKS document, at most 256 KiB. Raises `FetchFailed`."""
        jwks_uri = self._issuer.keys.jwks_uri
        if jwks_uri is None:
            url = await self._discover()
        else:
            url = key_urls.configured(jwks_uri, broker_on_loopback=self._broker_on_loopback)
        return await self._get(url, "the key set")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _discover(self) -> httpx.URL:
        """Ask the issuer where its keys are; only its own document counts (RFC 8414 §3.3)."""
        url = key_urls.discovery(self._issuer.url, broker_on_loopback=self._broker_on_loopback)
        text = await self._get(url, "the discovery document")
        try:
            metadata = loads_object(text)
        except JsonRefused as error:
            raise FetchFailed(f"the discovery document is unreadable: {error}") from None
        if metadata.get("issuer") != self._issuer.url:
            raise FetchFailed("the discovery document is another issuer's: its 'issuer' differs")
        return key_urls.discovered(
            metadata.get("jwks_uri"),
            self._issuer.url,
            broker_on_loopback=self._broker_on_loopback,
        )

    async def _get(self, url: httpx.URL, what: str) -> bytes:
        try:
            async with self._client.stream("GET", url) as response:
                if response.status_code != httpx.codes.OK:
                    hint = "; redirects are not followed" if response.has_redirect_location else ""
                    raise FetchFailed(f"{what} was answered with {response.status_code}{hint}")
                media_type = response.headers.get("content-type", "").partition(";")[0].strip()
                if media_type.lower() not in _MEDIA_TYPES:
                    raise FetchFailed(f"{what} is not sent as {' or '.join(_MEDIA_TYPES)}")
                return await _body(response, what)
        except httpx.ConnectError as error:
            # Connecting fails before anything was received: the text is the system's or OpenSSL's.
            raise FetchFailed(f"{what}: no connection: {str(error)[:200]!a}") from None
        except httpx.HTTPError as error:
            raise FetchFailed(f"{what}: {type(error).__name__}") from None


def _client(ca_certificates: bytes | None, proxy: str | None) -> httpx.AsyncClient:
    verify = True if ca_certificates is None else _trusting(ca_certificates)
    try:
        return httpx.AsyncClient(
            verify=verify,
            proxy=proxy,
            headers=_HEADERS,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(None),
            # Minutes pass between two fetches: an idle connection is of no use.
            limits=httpx.Limits(max_keepalive_connections=0),
        )
    except (ValueError, ImportError, httpx.InvalidURL):
        # The cause would quote the URL, which may hold a password.
        raise FetchFailed("the configured proxy cannot be used") from None


def _trusting(ca_certificates: bytes) -> ssl.SSLContext:
    # NOTE: OpenSSL would take an empty value for the wish to trust the system's certificates.
    if not ca_certificates:
        raise FetchFailed("no CA certificates are configured")
    try:
        return ssl.create_default_context(cadata=ca_certificates)
    except ssl.SSLError as error:
        raise FetchFailed(f"the configured CA certificates cannot be used: {error}") from None


async def _body(response: httpx.Response, what: str) -> bytes:
    """Read at most 256 KiB, as received and as decompressed (attacks row 32)."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise FetchFailed(f"{what} is sent in a Content-Encoding that was not asked for")
    gunzip = zlib.decompressobj(_GZIP_WINDOW) if encoding == "gzip" else None
    body = bytearray()
    received = 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        if gunzip is None:
            body += chunk
        else:
            try:
                body += gunzip.decompress(chunk, MAX_DOCUMENT_BYTES + 1 - len(body))
            except zlib.error:
                raise FetchFailed(f"{what} is not the gzip that it is said to be") from None
        if max(received, len(body)) > MAX_DOCUMENT_BYTES:
            raise FetchFailed(f"{what} is larger than {MAX_DOCUMENT_BYTES} bytes")
    if gunzip is not None and not gunzip.eof:
        raise FetchFailed(f"{what} is cut short")
    return bytes(body)
