"""What the audit keeps of a token that verified: some of its claims, and a fingerprint."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from broker.core.canonical_json import canonical, quoted, value_text
from broker.core.claims import Claims, text_of
from broker.core.platforms import AUDIT_CLAIMS_WITHOUT_PRESET
from broker.core.policy import Issuer

MAX_CLAIM_BYTES: Final = 1024
MAX_CLAIMS_BYTES: Final = 8192

_ABSENT: Final = object()


class RecordedObject(Mapping[str, Any]):
    """What the audit keeps of claims or of a request: canonical JSON, and nothing beside it.

    The text is what the chain covers; whoever asks for a member has it read from there.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> "RecordedObject":
        """Write the members down."""
        return cls(canonical(members))

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a claim is any JSON
        return self._members()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members())

    def __len__(self) -> int:
        return len(self._members())

    def _members(self) -> dict[str, Any]:
        members: dict[str, Any] = json.loads(self.text)
        return members


def recorded_claims(
    claims: Claims, issuer: Issuer, named_by_policies: frozenset[str]
) -> RecordedObject:
    """Choose what the audit keeps of a token that verified.

    The preset's allow-list and every claim that a policy of this issuer names; texts over 1 KB are
    left out, as is what would take the whole over 8 KB.
    """
    allowed = issuer.platform.audit_claims if issuer.platform else AUDIT_CLAIMS_WITHOUT_PRESET
    members = [
        beginning + (quoted(value) if type(value) is str else value_text(value))
        for name, beginning in _by_name(allowed, named_by_policies)
        if (value := claims.get(name, _ABSENT)) is not _ABSENT
    ]
    text = "{" + ",".join(members) + "}"
    # Nearly always all of it fits, which is seen without a look at each.
    longest = max(map(len, members), default=0) + len("{}")
    fits = longest <= MAX_CLAIM_BYTES and len(text) + len(members) <= MAX_CLAIMS_BYTES
    return RecordedObject(text if fits else _bounded(members))


def _bounded(members: list[str]) -> str:
    """Join the members of an object that fit, one by one and together."""
    fitting: list[str] = []
    total = 0
    for member in members:
        size = len(member) + len("{}")
        if size <= MAX_CLAIM_BYTES and total + size <= MAX_CLAIMS_BYTES:
            fitting.append(member)
            total += size
    return "{" + ",".join(fitting) + "}"


@lru_cache(maxsize=1024)
def _by_name(allowed: frozenset[str], named: frozenset[str]) -> list[tuple[str, str]]:
    """Give names in the order of the canonical JSON, each with the beginning of its member."""
    return [(name, quoted(name) + ":") for name in sorted(allowed | named)]


def subject_token_id(claims: Claims) -> str | None:
    """Give a fingerprint of the presented token, None when it has no `jti`.

    Over issuer and `jti`, not over the text: the text of a token is malleable (attacks row 14).
    """
    jti = text_of(claims.get("jti"))
    if jti is None:
        return None
    return hashlib.sha256(f"[{quoted(claims['iss'])},{quoted(jti)}]".encode()).hexdigest()
