"""An issuer's key set as it is kept in the store: whose it is, of when, and which of two counts."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from broker.core.canonical_json import canonical
from broker.core.policy import Issuer

MAX_AGE: Final = 24 * 3600
"""Seconds that keys count after the fetch that brought them began, or their upload (contract §7).

Who can write to the store can put a row back as it once was; this is how much later it may be.
"""

MAX_AHEAD: Final = 60
"""Seconds by which the clock of whoever kept a set may be ahead; beyond, it counts as absent."""

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class KeptKeys:
    """A JWKS document, and since when it counts."""

    document: bytes
    since: float
    """When the fetch that brought it began, or when it was uploaded; seconds since the epoch."""

    uploaded: bool = False


def counts(since: float, now: float) -> bool:
    """Tell whether kept keys count now: not when they are old, nor when they are of later."""
    return -MAX_AHEAD <= now - since < MAX_AGE


def supersedes(since: float, before: float, now: float) -> bool:
    """Tell whether keys of `since` take the place of those of `before`.

    The newer ones do, and any those that a clock far ahead has put into the future.
    """
    return since > before or before - now > MAX_AHEAD


def written(issuer: Issuer, kept: KeptKeys) -> bytes:
    """Write what is kept of an issuer, for exactly this configuration of it."""
    members = {
        "version": _VERSION,
        "issuer": _identity(issuer),
        "since": kept.since,
        "uploaded": kept.uploaded,
        "document": kept.document.decode(),
    }
    return canonical(members).encode()


def read_kept(issuer: Issuer, text: bytes) -> KeptKeys | None:
    """Read what was written; None for another configuration of the issuer, or another version.

    Raises `ValueError`, `TypeError` and `KeyError` for what this version did not write.
    """
    members: dict[str, Any] = json.loads(text)
    if (members["version"], members["issuer"]) != (_VERSION, _identity(issuer)):
        return None
    return KeptKeys(
        members["document"].encode(), float(members["since"]), uploaded=members["uploaded"] is True
    )


def _identity(issuer: Issuer) -> str:
    """Name an issuer as configured: keys of another URL, source or algorithm are another's."""
    source = issuer.keys
    certificates = source.ca_certificates
    members = {
        "name": issuer.name,
        "url": issuer.url,
        "algorithms": sorted(issuer.algorithms),
        "jwks_uri": source.jwks_uri,
        "ca": None if certificates is None else hashlib.sha256(certificates).hexdigest(),
        "proxy": source.proxy,
    }
    return hashlib.sha256(canonical(members).encode()).hexdigest()
