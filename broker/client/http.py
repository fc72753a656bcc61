"""Requests of the client: bounded in time and size, never redirected, their failures told apart."""

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from broker import __version__
from broker.client.errors import BrokerTrouble, Misuse
from broker.client.patience import TryAgain
from broker.core.json_text import JsonRefused, loads_object
from broker.core.printable import printable
from broker.time_limit import TimeLimit

if TYPE_CHECKING:
    import httpx

TIMEOUT: Final = 10.0
"""Seconds that one request may take from beginning to end."""

MAX_BODY: Final = 64 * 1024
USER_AGENT: Final = f"ci-token-broker/{__version__}"

# A connection of its own, which can be cut; and a body that no decoder makes larger.
_ONE_REQUEST: Final = {"connection": "close", "accept-encoding": "identity"}
_WITHIN: Final = f"within {TIMEOUT:.0f} seconds"
_SHOWN: Final = 300
_LONGEST_WAIT: Final = 3600.0
_REDIRECT: Final = 3
_FAULT: Final = 5
_AGAIN: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of HTTP; its body may hold a token."""

    what: str
    """Who answered, for messages."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def members(self) -> dict[str, Any] | None:
        """Read the body as a JSON object; None when it is none."""
        try:
            return loads_object(self.body)
        except JsonRefused:
            return None

    def beginning(self) -> str:
        """Show how the body begins, on one line."""
        text = " ".join(self.body[:_SHOWN].decode(errors="replace").split())
        return printable(text) or "nothing"


def new_client() -> "httpx.Client":
    """Make an HTTP client; proxies and certificate authorities are those of the environment.

    Raises `Misuse` when the environment names some that cannot be used.
    """
    import httpx

    try:
        return httpx.Client(
            timeout=TIMEOUT, follow_redirects=False, headers={"user-agent": USER_AGENT}
        )
    except OSError as error:
        raise Misuse(
            "the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read:"
            f" {error.strerror or type(error).__name__}"
        ) from None
    except (ValueError, ImportError, httpx.InvalidURL):
        # What it is may hold a password.
        raise Misuse(
            "a proxy of the environment cannot be used: check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY"
            " (http://HOST:PORT)"
        ) from None


def send(  # noqa: PLR0913 - as many facts as a request has
    client: "httpx.Client",
    what: str,
    method: str,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    basic: tuple[str, str] | None = None,
    at_most: int = MAX_BODY,
) -> Answer:
    """Send one request; `what` names the other side in messages.

    Of the body of the answer, `at_most` bytes are read.

    Raises `TryAgain` for what may pass (no answer, 408, 429, 5xx), `BrokerTrouble` for a redirect
    or a certificate that is not trusted, `Misuse` for what cannot be written into a request.
    """
    import httpx

    headers = {**(headers or {}), **_ONE_REQUEST}
    limit = TimeLimit(TIMEOUT)
    try:
        auth = None if basic is None else httpx.BasicAuth(*basic)
        with (
            limit,
            client.stream(
                method, url, data=form, headers=headers, auth=auth, extensions={"trace": limit}
            ) as response,
        ):
            answer = Answer(
                what, response.status_code, dict(response.headers), _read(response, at_most)
            )
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise BrokerTrouble(f"the address of {what} cannot be used") from None
    except (httpx.LocalProtocolError, UnicodeError):
        raise Misuse(f"what was to be sent to {what} has characters that no request has") from None
    except httpx.HTTPError as error:
        raise _no_answer(what, error, late=limit.is_over) from None
    if limit.is_over:
        raise TryAgain(f"{what} gave no complete answer {_WITHIN}")
    if _kind(answer) == _REDIRECT:
        raise BrokerTrouble(
            f"{what} answered with a redirect ({answer.status}); a token is sent to the address"
            " that was given and nowhere else"
        )
    if answer.status in _AGAIN or _kind(answer) >= _FAULT:
        raise TryAgain(
            f"{what} answered with {answer.status}: {_said(answer)}", wait=_retry_after(answer)
        )
    return answer


def _kind(answer: Answer) -> int:
    """Give the first digit of the status (RFC 9110 §15)."""
    return answer.status // 100


def _read(response: "httpx.Response", at_most: int) -> bytes:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > at_most:
            break
    return bytes(body[:at_most])


def _no_answer(what: str, error: "httpx.HTTPError", *, late: bool) -> BrokerTrouble:
    import httpx

    if late:
        return TryAgain(f"{what} gave no complete answer {_WITHIN}")
    cause = printable(str(error))[:_SHOWN]
    if "CERTIFICATE_VERIFY_FAILED" in cause:
        return BrokerTrouble(
            f"the TLS certificate of {what} is not trusted: {cause}. For an authority of your own"
            " set SSL_CERT_FILE to its certificate"
        )
    if isinstance(error, httpx.TimeoutException):
        cause = f"nothing {_WITHIN}"
    return TryAgain(f"{what} did not answer: {cause or type(error).__name__}")


def _said(answer: Answer) -> str:
    members = answer.members() or {}
    said = members.get("error_description") or members.get("detail")
    if isinstance(said, str):
        return printable(said)[:_SHOWN]
    return f"its answer begins with: {answer.beginning()}"


def _retry_after(answer: Answer) -> float:
    """Read Retry-After (RFC 9110 §10.2.3) as seconds from now."""
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT)
    try:
        at = email.utils.parsedate_to_datetime(text)
        now = email.utils.parsedate_to_datetime(answer.headers.get("date", ""))
        return min(max((at - now).total_seconds(), 0.0), _LONGEST_WAIT)
    except (TypeError, ValueError, OverflowError):
        return 0.0
