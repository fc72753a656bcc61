"""Issuers' keys under the master key: who writes to the store cannot make one that verifies.

Each row is sealed with its issuer's name, and holds for exactly the configuration of the issuer
that it was kept for. One that was made elsewhere, changed or moved counts as absent, and is told in
the log (attacks rows 33 and 183). A row that was put back as it once was is older than a day soon:
no seal can show it, so its time, which lies under the seal, bounds it.
"""

import contextlib
import logging
from collections.abc import Sequence
from typing import Final

from broker.core.audit import AuditEvent
from broker.core.kept_keys import KeptKeys, read_kept, supersedes, written
from broker.core.policy import Issuer
from broker.ports import ChangingSealedRows
from broker.signing.check_row import CHECK_ROW
from broker.signing.sealed_rows import SealedBox

PREFIX: Final = "issuer-keys/"

KEEP_AFTER: Final = 120
"""Seconds after which a set that has not changed is kept anew, so that its time is known."""

TRIES: Final = 5
"""How often a row is read anew that other processes replace at the same moment."""

logger = logging.getLogger(__name__)


class SealedIssuerKeys:
    """Implements the ports `IssuerKeyKeeping` and `IssuerKeyUploads` on the rows of a store."""

    def __init__(self, rows: ChangingSealedRows, box: SealedBox) -> None:
        """`box` seals under the master key of the store."""
        self._rows = rows
        self._box = box
        self._told: dict[str, bytes] = {}

    async def kept(self, issuers: Sequence[Issuer]) -> list[KeptKeys | None]:
        """Find what is kept of each issuer, exactly as it is configured. Raises `Unavailable`."""
        if not issuers:
            return []
        rows = await self._rows.sealed_rows([_row_name(each) for each in issuers])
        return [self._opened(each, rows.get(_row_name(each))) for each in issuers]

    async def keep(self, issuer: Issuer, keys: KeptKeys, now: float) -> bool:
        """Keep a set in place of an older one; tell whether it was written. The epoch stays.

        The place of a row that does not count is taken, too, unless the store is under another
        master key by now. A set that has not changed is written again only after `KEEP_AFTER`: many
        processes fetch it. Raises `Unavailable`.
        """
        name = _row_name(issuer)
        content = self._box.seal(name, written(issuer, keys))
        for _ in range(TRIES):
            before = await self._rows.sealed_row(name)
            kept = self._opened(issuer, before)
            if kept is not None and not _is_news(keys, kept, now):
                return False
            if before is not None and self._box.unseal(name, before) is None:
                proof = await self._rows.sealed_row(CHECK_ROW)
                if proof is not None and self._box.unseal(CHECK_ROW, proof) is None:
                    return False
            if await self._put(name, before, content):
                return True
        return False

    async def upload(self, issuer: Issuer, keys: KeptKeys, event: AuditEvent) -> None:
        """Keep a set whatever was kept before, record it, and raise the epoch: all or nothing.

        Raises `Unavailable`.
        """
        name = _row_name(issuer)
        content = self._box.seal(name, written(issuer, keys))
        await self._rows.put_sealed_row(name, content, event)

    async def _put(self, name: str, before: bytes | None, content: bytes) -> bool:
        """Write a row unless another process has since; tell whether it was written."""
        if before is None:
            return await self._rows.add_sealed_row(name, content)
        return await self._rows.replace_sealed_row(name, before, content)

    def _opened(self, issuer: Issuer, content: bytes | None) -> KeptKeys | None:
        if content is None:
            return None
        name = _row_name(issuer)
        plain = self._box.unseal(name, content)
        if plain is not None:
            # A version to come may have written members that are not known here.
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                return read_kept(issuer, plain)
        self._tell_altered(name, content)
        return None

    def _tell_altered(self, name: str, content: bytes) -> None:
        """Alarm once for a row that counts as absent."""
        if self._told.get(name) != content:
            self._told[name] = content
            logger.error(
                "the row %s was altered, or made by somebody else; it counts as absent", name
            )


def _is_news(keys: KeptKeys, kept: KeptKeys, now: float) -> bool:
    if not supersedes(keys.since, kept.since, now):
        return False
    same = (keys.document, keys.uploaded) == (kept.document, kept.uploaded)
    return not (same and 0 <= keys.since - kept.since < KEEP_AFTER)


def _row_name(issuer: Issuer) -> str:
    return PREFIX + issuer.name
