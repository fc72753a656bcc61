"""The audit event: one line per decision, chained so that an edit shows (contract §6)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import field, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from broker.core.canonical_json import canonical, quoted, value_text
from broker.core.record import record
from broker.core.recorded_claims import RecordedObject

GENESIS: Final = "0" * 64
ERASED: Final = ""
"""What stands in a store where the text of the claims was; no JSON text is empty."""

# Built once: `json.dumps` builds an encoder per call when it is given options.
_compact: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


@record
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
    observed: tuple[str, ...] = ()
    """The policies that held, but are observed only."""

    would: Mapping[str, Any] | None = None
    """What would have been decided with them; only on events where one held."""

    claims_left_out: tuple[str, ...] = ()
    """The claims that were too large to be kept, by name; only on events of such a token."""

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
    changes: Mapping[str, Any] | None = None

    def members(self) -> dict[str, Any]:
        """Give the event as JSON members in the order of the contract, without its place.

        Written out because `dataclasses.asdict` copies every claim, at ten times the cost.
        """
        return {
            "id": self.id,
            "time": rfc3339(self.time),
            "type": self.type,
            "outcome": self.outcome,
            "reason": self.reason,
            "request_id": self.request_id,
            "client_address": self.client_address,
            "issuer": self.issuer,
            "subject": self.subject,
            "platform": self.platform,
            "claims": None if self.claims is None else dict(self.claims),
            "service_account": self.service_account,
            "sub": self.sub,
            "policies": list(self.policies),
            "observed": list(self.observed),
            **({} if self.would is None else {"would": _sorted(self.would)}),
            **({"claims_left_out": list(self.claims_left_out)} if self.claims_left_out else {}),
            "requested": _sorted(self.requested),
            "audience": self.audience,
            "scopes": None if self.scopes is None else list(self.scopes),
            "ttl": self.ttl,
            "token_id": self.token_id,
            "subject_token_id": self.subject_token_id,
            "policy_set": self.policy_set,
            "duration_ms": self.duration_ms,
            "count": self.count,
            "actor": self.actor,
            "target": self.target,
            "changes": _sorted(self.changes),
        }


_MEMBERS: Final = dict.fromkeys(member.name for member in fields(AuditEvent))
"""The members in the order of the contract, which is the order of the fields."""


@record
class SerializedEvent:
    """An event as JSON text whose place in the chain is still open.

    Made before the chain is locked, so that little work is left for that moment.
    """

    before_claims: str
    claims: str
    claims_digest: str
    after_claims: str

    @classmethod
    def of(cls, event: AuditEvent) -> "SerializedEvent":
        """Write an event as JSON. Raises `TypeError` or `ValueError` when a value has no JSON.

        The same text as `of_members` makes, at a third of the cost.
        """
        claims = _object(event.claims)
        before = (
            f'"id":{_text(event.id)},"time":"{rfc3339(event.time)}",'
            f"{_what(event.type, event.outcome, event.reason)},"
            f'"request_id":{_text(event.request_id)},'
            f'"client_address":{_text(event.client_address)},"issuer":{_text(event.issuer)},'
            f'"subject":{_text(event.subject)},"platform":{_text(event.platform)},'
        )
        would = "" if event.would is None else f'"would":{canonical(event.would)},'
        if event.claims_left_out:
            would += f'"claims_left_out":{_texts(event.claims_left_out)},'
        after = (
            f",{_whom(event.service_account, event.sub, event.policies, event.observed)},"
            f'{would}"requested":{_object(event.requested)},'
            f"{_granted(event.audience, event.scopes, event.ttl)},"
            f'"token_id":{_text(event.token_id)},'
            f'"subject_token_id":{_text(event.subject_token_id)},'
            f'"policy_set":{_text(event.policy_set)},"duration_ms":{_number(event.duration_ms)},'
            f'{_beside(event.count, event.actor, event.target)},"changes":{_object(event.changes)}'
        )
        return cls(before, claims, claims_digest(claims), after)

    @classmethod
    def of_members(cls, members: Mapping[str, Any]) -> "SerializedEvent":
        """Write members as JSON, in the order given."""
        claims = canonical(members["claims"])
        digest = hashlib.sha256(claims.encode()).hexdigest()
        text = _compact({**members, "claims": None})
        # No earlier member is an object, and within a text the quotes would be escaped.
        before, after = text[1:-1].split('"claims":null', 1)
        return cls(before, claims, digest, after)

    def at(self, sequence: int, prev: str) -> "ChainedEvent":
        """Put the event behind the one whose hash is `prev`."""
        covered = (
            f'{{"seq":{sequence},{self.before_claims}"claims":"{self.claims_digest}"'
            f'{self.after_claims},"prev":"{prev}"}}'
        )
        return ChainedEvent(
            sequence, prev, hashlib.sha256(covered.encode()).hexdigest(), covered, self
        )


@record
class ChainedEvent:
    """An event at its place in the chain."""

    sequence: int
    prev: str
    hash: str
    covered: str
    """The JSON text that `hash` is the SHA-256 of: the line without `hash`, and with the SHA-256 of
    the claims' canonical JSON in place of the claims, so that these can be erased later without
    breaking the chain."""

    event: SerializedEvent = field(repr=False)

    @property
    def members(self) -> dict[str, Any]:
        """The event as JSON members, `seq`, `prev` and `hash` among them."""
        return stored_members(self.covered, self.event.claims, self.hash)

    def line(self) -> str:
        """Give the event as one line of JSON; everything unprintable is escaped."""
        event = self.event
        return (
            f'{{"seq":{self.sequence},{event.before_claims}"claims":{event.claims}'
            f'{event.after_claims},"prev":"{self.prev}","hash":"{self.hash}"}}'
        )


def chain(event: AuditEvent, sequence: int, prev: str) -> ChainedEvent:
    """Put an event behind the one whose hash is `prev`."""
    return SerializedEvent.of(event).at(sequence, prev)


def chain_hash(members: Mapping[str, Any]) -> str:
    """Compute anew the hash of an event read back as JSON members, in whatever order.

    Every member counts, `hash` excepted; of claims that were erased their digest. Raises `KeyError`
    without `seq`, `prev` or `claims`.
    """
    rest = members.keys() - {"seq", "prev", "hash"}
    erased = members["claims"] is None and isinstance(members.get("claims_erased"), str)
    if erased:
        rest -= {"claims_erased"}
    names = [name for name in _MEMBERS if name in rest] + sorted(rest - _MEMBERS.keys())
    ordered = {name: members[name] for name in names}
    for name in ordered.keys() & {"would", "requested", "changes"}:
        ordered[name] = _sorted(ordered[name])
    event = SerializedEvent.of_members(ordered)
    if erased:
        event = replace(event, claims_digest=members["claims_erased"])
    return event.at(members["seq"], members["prev"]).hash


def claims_digest(claims: str) -> str:
    """Compute what the covered text holds in place of the claims' JSON text."""
    return hashlib.sha256(claims.encode()).hexdigest()


def stored_members(covered: str, claims: str, event_hash: str) -> dict[str, Any]:
    """Read an event back from the texts that a store keeps of it.

    In place of erased claims there is null, and behind it `claims_erased` with their digest.
    """
    members: dict[str, Any] = json.loads(stored_line(covered, claims, event_hash))
    return members


def stored_line(covered: str, claims: str, event_hash: str) -> str:
    """Give the line of an event from the texts that a store keeps of it.

    Raises `ValueError` for a text that is no event's.
    """
    before, digest, after = _split_at_claims(covered)
    value = claims if claims != ERASED else f'null,"claims_erased":"{digest}"'
    return f'{before}{value}{after[:-1]},"hash":"{event_hash}"}}'


def _split_at_claims(covered: str) -> tuple[str, str, str]:
    # No earlier member is an object, and within a text the quotes would be escaped.
    head, name, rest = covered.partition('"claims":"')
    digest, quote, after = rest.partition('"')
    if not name or not quote:
        raise ValueError("there is no digest of claims")
    return f'{head}"claims":', digest, after


def rfc3339(instant: float) -> str:
    """Write an instant as RFC 3339 in UTC with milliseconds."""
    second, fraction = divmod(instant, 1)
    # Rounded to microseconds and then cut, as `datetime` does.
    microseconds = round(fraction * 1_000_000)
    second += microseconds // 1_000_000
    return f"{_second(int(second))}.{microseconds // 1000 % 1000:03}Z"


@lru_cache(maxsize=64)
def _second(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat().removesuffix("+00:00")


# Members that say the same in many events: what stands in files, mostly.


@lru_cache(maxsize=256)
def _what(kind: str, outcome: str, reason: str | None) -> str:
    return f'"type":{_text(kind)},"outcome":{_text(outcome)},"reason":{_text(reason)}'


@lru_cache(maxsize=1024)
def _whom(
    service_account: str | None,
    sub: str | None,
    policies: tuple[str, ...],
    observed: tuple[str, ...],
) -> str:
    return (
        f'"service_account":{_text(service_account)},"sub":{_text(sub)},'
        f'"policies":{_texts(policies)},"observed":{_texts(observed)}'
    )


@lru_cache(maxsize=1024, typed=True)
def _granted(audience: str | None, scopes: tuple[str, ...] | None, ttl: int | None) -> str:
    return f'"audience":{_text(audience)},"scopes":{_texts(scopes)},"ttl":{_number(ttl)}'


@lru_cache(maxsize=256, typed=True)
def _beside(count: int | None, actor: str | None, target: str | None) -> str:
    return f'"count":{_number(count)},"actor":{_text(actor)},"target":{_text(target)}'


def _text(value: str | None) -> str:
    return "null" if value is None else quoted(value)


def _texts(values: tuple[str, ...] | None) -> str:
    return "null" if values is None else f"[{','.join(map(quoted, values))}]"


def _number(value: float | None) -> str:
    return "null" if value is None else value_text(value)


def _object(value: Mapping[str, Any] | None) -> str:
    if value is None:
        return "null"
    return value.text if isinstance(value, RecordedObject) else canonical(value)


def _sorted(value: object) -> object:
    """Order the members of every object within a JSON value by name."""
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    return value
