"""Fetching the broker's keys: one document from one fixed place, all bounds set."""

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from broker import __version__
from broker.core.issuer_keys import MAX_DOCUMENT_BYTES
from broker.core.loopback import is_loopback
from broker.time_limit import TimeLimit

if TYPE_CHECKING:
    import ssl

    import httpx

FETCH_SECONDS: Final = 10.0
"""For the whole of one fetch."""

JWKS_PATH: Final = "/.well-known/jwks.json"

_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")

Fetch = Callable[[], bytes]
"""Gives a JWKS document. Raises `FetchFailed`."""


class FetchFailed(Exception):
    """There is no document; the message says why, and holds no secret."""


def require_https(url: str) -> str:
    """Give a URL that keys and tokens may be trusted to. Raises `ValueError`."""
    if "@" in url:
        raise ValueError("the URL of a broker names no user and no password: https://HOST[/PATH]")
    parts = urlsplit(url)
    clean = _PRINTABLE.fullmatch(url) and "?" not in url and "#" not in url
    if not clean or not parts.hostname or parts.port == 0:
        raise ValueError(f"{url!r} is no URL of a broker: https://HOST[/PATH]")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError(f"{url!r} is not https: anybody on the way could sign in its place")
    return url


def new_client(url: str, seconds: float) -> "httpx.Client":
    """Make a client for one request; proxies and certificate authorities are the environment's."""
    import httpx  # noqa: PLC0415

    return httpx.Client(
        verify=_authorities(),
        timeout=seconds,
        follow_redirects=False,
        # NOTE: a proxy would read, and could answer, what without TLS is for this machine alone.
        trust_env=url.startswith("https:"),
    )


@lru_cache(maxsize=1)
def _authorities() -> "ssl.SSLContext":
    # To read them takes 20 ms each time.
    import httpx  # noqa: PLC0415

    return httpx.create_ssl_context()


def over_http(url: str) -> Fetch:
    """Fetch from a URL; proxies and certificate authorities are those of the environment.

    Raises `ValueError` for one that is not https, but on this machine.
    """
    require_https(url)

    def fetch() -> bytes:
        # Slow to import, and of no use to a service that reads its keys from a file.
        import httpx  # noqa: PLC0415

        limit = TimeLimit(FETCH_SECONDS)
        headers = {
            "accept": "application/jwk-set+json, application/json",
            "accept-encoding": "identity",
            "connection": "close",
            "user-agent": f"ci-token-broker/{__version__}",
        }
        try:
            with (
                limit,
                new_client(url, FETCH_SECONDS) as client,
                client.stream("GET", url, headers=headers, extensions={"trace": limit}) as answer,
            ):
                if answer.status_code != httpx.codes.OK:
                    raise FetchFailed(f"{url} was answered with {answer.status_code}")
                body = b""
                for chunk in answer.iter_raw():
                    body += chunk
                    if len(body) > MAX_DOCUMENT_BYTES:
                        raise FetchFailed(f"{url} is larger than {MAX_DOCUMENT_BYTES} bytes")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            # A proxy's URL may hold a password: only what kind of error it is.
            raise FetchFailed(f"{url}: {type(error).__name__}") from None
        if limit.is_over:
            raise FetchFailed(f"{url} gave no complete answer within {FETCH_SECONDS:g} seconds")
        return body

    return fetch


def from_file(path: Path) -> Fetch:
    """Read a file that `broker keys publish` wrote, where the broker is out of reach."""

    def fetch() -> bytes:
        try:
            with path.open("rb") as file:
                return file.read(MAX_DOCUMENT_BYTES + 1)
        except OSError as error:
            raise FetchFailed(f"{path}: {error.strerror}") from None

    return fetch
