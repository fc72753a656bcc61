"""What a URL in the policy files may be."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from broker.core.loopback import is_loopback

MAX_URL_LENGTH: Final = 2000


def split(url: str) -> SplitResult | None:
    """Split a URL that has a scheme, a host and no odd characters; None for anything else."""
    if len(url) > MAX_URL_LENGTH or not url.isascii() or not url.isprintable() or " " in url:
        return None
    if any(mark in url for mark in '\\"<>^`{|}'):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme and parts.hostname else None


def fetch_fault(url: str, *, http_on_loopback: bool) -> str | None:
    """Say why documents must not be fetched from a URL, None if they may (attacks rows 17-20, 25).

    https only; http for this machine while the broker itself is reached only there.
    """
    parts = split(url)
    if parts is None:
        return "must be a URL, as in `https://gitlab.corp.example`"
    if parts.scheme != "https" and not (
        parts.scheme == "http" and is_loopback(parts.hostname or "")
    ):
        return "must begin with `https://`"
    if parts.scheme == "http" and not http_on_loopback:
        return "must begin with `https://`; http is only for a broker that listens on loopback"
    if "@" in parts.netloc:
        return "must not contain credentials"
    return None


def issuer_fault(url: str, *, http_on_loopback: bool) -> str | None:
    """Say why a URL cannot be that of an issuer: no query, fragment or wildcard either (row 67)."""
    fault = fetch_fault(url, http_on_loopback=http_on_loopback)
    if fault is None and "*" in url:
        return "is compared byte for byte, so it has no wildcard; write one entry for each issuer"
    if fault is None and ("?" in url or "#" in url):
        return "must have no query and no fragment; copy `iss` from a token byte for byte"
    return fault


def proxy_fault(url: str) -> str | None:
    """Say why a URL cannot be that of a proxy."""
    parts = split(url)
    if parts is None or parts.scheme not in ("http", "https"):
        return "must be a URL, as in `http://proxy.corp.example:3128`"
    if "@" in parts.netloc:
        return "must not contain credentials; policy files hold no secrets"
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return "must have no path, query or fragment"
    return None
