"""The audit event: one line per decision, chained so that an edit shows (contract §6)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from broker.core.claims import Claims, text_of
from broker.core.platforms import AUDIT_CLAIMS_WITHOUT_PRESET
from broker.core.policy import Issuer

MAX_CLAIM_BYTES: Final = 1024
MAX_CLAIMS_BYTES: Final = 8192
GENESIS: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What happened, to whom and why; never a token and never a secret.

    `time` is seconds since the epoch. `sequence`, `prev` and `hash` are set by the ledger when the
    event becomes durable.
    """

    id: str
    time: float
    type: str
    outcome: str
    reason: str | None = None
    request_id: str | None = None
    client_address: str | None = None
    issuer: str | None = None
    subject: str | None = None
    platform: str | None = None
    claims: Mapping[str, Any] | None = None
    service_account: str | None = None
    sub: str | None = None
    policies: tuple[str, ...] = ()
    requested: Mapping[str, Any] | None = None
    audience: str | None = None
    scopes: tuple[str, ...] | None = None
    ttl: int | None = None
    token_id: str | None = None
    subject_token_id: str | None = None
    policy_set: str | None = None
    duration_ms: float | None = None
    count: int | None = None
    """How many alike refusals this event stands for; only on counted ones."""

    actor: str | None = None
    target: str | None = None
    changes: Mapping[str, Any] | None = field(default=None)

    def members(self) -> dict[str, Any]:
        """Give the event as JSON members, without its place in the chain."""
        members = asdict(self)
        members["time"] = rfc3339(self.time)
        members["policies"] = list(self.policies)
        members["scopes"] = None if self.scopes is None else list(self.scopes)
        return members


@dataclass(frozen=True, slots=True)
class ChainedEvent:
    """An event at its place in the chain."""

    sequence: int
    prev: str
    hash: str
    members: Mapping[str, Any]
    """The event as JSON members, `claims` among them."""

    def line(self) -> str:
        """Give the event as one line of JSON; everything unprintable is escaped."""
        chained = {"seq": self.sequence, **self.members, "prev": self.prev, "hash": self.hash}
        return json.dumps(chained, separators=(",", ":"), ensure_ascii=True)


def chain(event: AuditEvent, sequence: int, prev: str) -> ChainedEvent:
    """Put an event behind the one whose hash is `prev`."""
    members = event.members()
    return ChainedEvent(sequence, prev, chain_hash(members, sequence, prev), members)


def chain_hash(members: Mapping[str, Any], sequence: int, prev: str) -> str:
    """Hash an event at its place; SHA-256 over canonical JSON, hexadecimal.

    The claims enter through a digest of their own, so that they can be erased later without
    breaking the chain.
    """
    digest = hashlib.sha256(_canonical(members["claims"])).hexdigest()
    covered = {**members, "seq": sequence, "prev": prev, "claims": digest}
    return hashlib.sha256(_canonical(covered)).hexdigest()


def recorded_claims(
    claims: Claims, issuer: Issuer, named_by_policies: frozenset[str]
) -> dict[str, Any]:
    """Choose what the audit keeps of a token that verified.

    The preset's allow-list and every claim that a policy of this issuer names; texts over 1 KB are
    left out, as is what would take the whole over 8 KB.
    """
    allowed = issuer.platform.audit_claims if issuer.platform else AUDIT_CLAIMS_WITHOUT_PRESET
    recorded: dict[str, Any] = {}
    total = 0
    for name in sorted(claims.keys() & (allowed | named_by_policies)):
        size = len(_canonical({name: claims[name]}))
        if size <= MAX_CLAIM_BYTES and total + size <= MAX_CLAIMS_BYTES:
            recorded[name] = claims[name]
            total += size
    return recorded


def subject_token_id(claims: Claims) -> str | None:
    """Give a fingerprint of the presented token, None when it has no `jti`.

    Over issuer and `jti`, not over the text: the text of a token is malleable (attacks row 14).
    """
    jti = text_of(claims.get("jti"))
    if jti is None:
        return None
    return hashlib.sha256(_canonical([claims["iss"], jti])).hexdigest()


def rfc3339(instant: float) -> str:
    """Write an instant as RFC 3339 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(instant, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def with_duration(event: AuditEvent, seconds: float) -> AuditEvent:
    """Note how long the decision took."""
    return replace(event, duration_ms=round(seconds * 1000, 3))


def _canonical(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=True).encode()
