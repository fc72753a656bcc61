"""The URL of the broker, as people write it into a variable."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from broker.client.errors import Misuse
from broker.core.loopback import is_loopback
from broker.core.printable import printable

_SHOWN: Final = 200


def broker_url(text: str) -> str:
    """Read a broker's URL and give it without a slash at its end.

    https, or http on this machine. Raises `Misuse`.
    """
    if not text:
        raise Misuse("which broker? Set BROKER_URL, or --url, to its https address")
    url = _split(text)
    if url.scheme not in ("http", "https"):
        # Its value may hold a password: only the scheme is shown.
        named = url.scheme and text.lower().startswith(f"{url.scheme}://")
        scheme = printable(url.scheme[:_SHOWN]) if named else "none"
        raise Misuse(
            f"BROKER_URL must be the https address of the token broker; its scheme is '{scheme}'."
            " Celery and other programs read a variable of this name, too: give this command its"
            " own with --url"
        )
    host = url.hostname or ""
    if not host or url.username is not None or url.password is not None:
        raise Misuse("the broker's URL must have a host, and neither a user nor a password")
    if url.query or url.fragment or "?" in text or "#" in text:
        raise Misuse("the broker's URL must have no query and no fragment")
    if url.scheme == "http" and not is_loopback(host):
        raise Misuse(
            f"http://{printable(host)} would send tokens in clear: write https (http is for this"
            " machine alone)"
        )
    return text.rstrip("/")


def same_origin(one: str, other: str) -> bool:
    """Tell whether two URLs are of the same scheme, host and port."""
    try:
        left, right = (_origin(urlsplit(each)) for each in (one, other))
    except ValueError:
        return False
    return left == right and left[1] is not None


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    default = {"https": 443, "http": 80}.get(url.scheme)
    return url.scheme, url.hostname, url.port or default


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        raise Misuse("the broker's URL cannot be read: check its host and port") from None
    if not text.isascii() or not text.isprintable() or " " in text:
        raise Misuse("the broker's URL has characters that no URL has")
    return url
