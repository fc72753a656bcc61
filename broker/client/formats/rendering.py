"""What a format takes beside the token, and what it gives back; nothing is read or written here."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from broker.client.errors import Misuse
from broker.client.service_token import ServiceToken

_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")


class FormatRefused(Misuse):
    """A token cannot be written this way; the message says what to change, never the token."""


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What a format may need beside the token.

    `environment` holds the variables of the process; `variable` is the name of the one that gets
    the token; `delimiter` is drawn at random by the caller; `file` is where the output goes, if
    anywhere; `server` is the host that asked, as it wrote itself.
    """

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    variable: str = "BROKER_TOKEN"
    delimiter: str = ""
    file: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True)
class FileText:
    """The path of a file, and the text for it."""

    path: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a format makes of a token.

    `text` goes to stdout, or into the file that was asked for; `appended` goes behind what files of
    the platform hold already; `written` are whole files, for their owner alone.
    """

    text: str = field(repr=False)
    appended: tuple[FileText, ...] = ()
    written: tuple[FileText, ...] = ()


Format = Callable[[ServiceToken, FormatOptions], Rendering]


def token_text(token: ServiceToken) -> str:
    """Give the token itself: visible ASCII alone, which no format lets end a line or a header.

    RFC 6749 appendix A.12, without the space. Raises `FormatRefused`.
    """
    if not _TOKEN.fullmatch(token.access_token):
        raise FormatRefused(
            "the broker's answer holds an access token with characters that no token has: "
            "is BROKER_URL the broker?"
        )
    return token.access_token


def variable_name(name: str) -> str:
    """Give the name of a variable back. Raises `FormatRefused` for what a shell could misread."""
    if not _VARIABLE.fullmatch(name):
        raise FormatRefused(
            f"{name!a} is no name of a variable: capital letters, digits and '_', no digit first"
        )
    return name


def end_time(token: ServiceToken) -> str:
    """Give the moment when the token ends (RFC 3339, UTC). Raises `FormatRefused`."""
    try:
        moment = datetime.fromtimestamp(token.expires_at, UTC)
    except (ValueError, OverflowError, OSError):
        raise FormatRefused("the broker's answer holds a time that is out of range") from None
    return moment.isoformat().replace("+00:00", "Z")
