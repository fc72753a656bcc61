"""The lines of an exported audit, read one after the other and held against their chain.

A line that was edited, that is missing or cut off, or that is no event of a broker's is refused:
what it says of a month of traffic would not be true.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from broker.core.audit import GENESIS
from broker.core.audit_chain import ChainVerification, LineRefused, Link, link_of_line
from broker.core.audit_head import LINE_TYPE

MAX_LINE_BYTES: Final = 1 << 20
"""More than any event takes."""


_CLAIMS: Final = b'"claims":'
_ERASED: Final = b'null,"claims_erased":"'
_HASH_AT: Final = -len(f',"hash":"{GENESIS}"}}')
_CHAINED: Final = ("seq", "prev", "hash")


def _no_constant(name: str) -> object:
    raise ValueError(name)


_decoder: Final = json.JSONDecoder(parse_constant=_no_constant)


class ExportLines:
    """Reads events of one export; the first decides whether all are chained."""

    def __init__(self, *, quickly: Callable[[bytes], object] | None = None) -> None:
        """`quickly` reads JSON as Python's decoder does, or raises `ValueError`."""
        self._quickly = quickly
        self.chained: bool | None = None
        """Whether the events form a chain; None before the first one."""

        self._verification = ChainVerification(begins_after=None)

    def event(self, line: bytes) -> dict[str, Any] | None:
        """Read the event of the next line; None for a line that holds none.

        What a broker prints holds heads between its events. Raises `LineRefused`.
        """
        if line.isspace():
            return None
        members = self._members(line)
        kind = members.get("type")
        if kind == LINE_TYPE:
            return None
        if not isinstance(kind, str) or not isinstance(members.get("id"), str):
            raise LineRefused("is no audit event of a broker: it has no `type` and `id`")
        chained = "seq" in members or "prev" in members or "hash" in members
        if self.chained is None:
            self.chained = chained
        if chained:
            link = _link(line, members)
            if not self._verification.take(link):
                raise LineRefused(f"is not the next event: {self._verification.finish().fault}")
        if chained is not self.chained:
            raise LineRefused("has no place in a chain, as the lines before it have, or has one")
        return members

    def _members(self, line: bytes) -> dict[str, Any]:
        if len(line) > MAX_LINE_BYTES:
            raise LineRefused(f"is longer than {MAX_LINE_BYTES} bytes")
        members = None
        if self._quickly is not None:
            try:
                members = self._quickly(line)
            except ValueError:
                # The slower one says whether it is none, and why.
                members = None
        if members is None:
            members = _read(line)
        if not isinstance(members, dict):
            raise LineRefused("is not a JSON object")
        return members


def _read(line: bytes) -> object:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise LineRefused("is not UTF-8") from None
    try:
        return _decoder.decode(text)
    except (ValueError, RecursionError):
        cut_off = "" if text.endswith("\n") else ": the export is cut off"
        raise LineRefused(f"is not JSON{cut_off}") from None


def _link(line: bytes, members: dict[str, Any]) -> Link:
    """Give what the chain says of an event. Raises `LineRefused`.

    A line as the broker writes it holds the text that its hash covers; to write that anew, as for
    members in another order, takes ten times as long.
    """
    sequence, prev, stated = map(members.get, _CHAINED)
    covered = _covered(line.rstrip())
    if (
        covered is None
        or not isinstance(sequence, int)
        or isinstance(sequence, bool)
        or not isinstance(prev, str)
        or not isinstance(stated, str)
        or hashlib.sha256(covered).hexdigest() != stated
    ):
        return link_of_line(line)
    return Link(sequence, stated, prev, fits=True, erased="claims_erased" in members)


def _covered(text: bytes) -> bytes | None:
    """Give the text that the hash of a line covers; None for one that is written otherwise."""
    # No earlier member is an object, and within a text the quotes would be escaped.
    before, found, rest = text[:_HASH_AT].partition(_CLAIMS)
    if not found:
        return None
    if rest.startswith(_ERASED):
        # In the place of the claims there is their digest.
        digest, quote, after = rest.removeprefix(_ERASED).partition(b'"')
        return b'%b%b"%b"%b}' % (before, _CLAIMS, digest, after) if quote else None
    if rest.startswith(b"null"):
        claims, after = b"null", rest.removeprefix(b"null")
    else:
        # A claim may look like what follows: then this is not what the hash covers.
        claims, brace, after = rest.partition(b'},"service_account":')
        claims, after = claims + b"}", brace.removeprefix(b"}") + after
    digest = hashlib.sha256(claims).hexdigest().encode()
    return b'%b%b"%b"%b}' % (before, _CLAIMS, digest, after)
