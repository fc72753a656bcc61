"""What the audit keeps of a token that verified: some of its claims, and a fingerprint."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from operator import call, itemgetter
from typing import Any, Final

from broker.core.canonical_json import canonical, quoted, value_text
from broker.core.claims import Claims, text_of
from broker.core.platforms import AUDIT_CLAIMS_WITHOUT_PRESET
from broker.core.policy import Issuer
from broker.core.record import record

MAX_CLAIM_BYTES: Final = 1024
MAX_CLAIMS_BYTES: Final = 8192


class RecordedObject(Mapping[str, Any]):
    """What the audit keeps of claims or of a request: canonical JSON, and nothing beside it.

    The text is what the chain covers; whoever asks for a member has it read from there. `left_out`
    names what there was besides, and was too large to be kept.
    """

    __slots__ = ("left_out", "text")

    def __init__(self, text: str, left_out: tuple[str, ...] = ()) -> None:
        self.text = text
        self.left_out = left_out

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

    The preset's allow-list and every claim that a policy of this issuer names, or a template of a
    service that one reaches; texts over 1 KB are left out, as is what would take the whole over
    8 KB, and only their names are kept.
    """
    allowed = issuer.platform.audit_claims if issuer.platform else AUDIT_CLAIMS_WITHOUT_PRESET
    form = _form(allowed, named_by_policies, tuple(claims), tuple(map(type, claims.values())))
    values = form.values(claims)
    text = form.text % values
    # Nearly always all of it fits, which is seen without a look at each.
    longest = max(map(len, values), default=0) + form.longest_name
    if longest <= MAX_CLAIM_BYTES and len(text) + len(values) <= MAX_CLAIMS_BYTES:
        return RecordedObject(text)
    return _bounded(form, values)


@record
class _Form:
    """How claims of some names and types are written: all that one issuer's tokens have alike."""

    kept: tuple[str, ...]
    """The names of those that are kept, in the order of the canonical JSON."""

    names: tuple[str, ...]
    """The same, each as its member begins."""

    values: Callable[[Claims], tuple[str, ...]]
    """Gives the JSON of each."""

    text: str
    """The whole object, with `%s` for each value."""

    longest_name: int
    """Bytes that a member has beside its value, as an object of its own."""


@lru_cache(maxsize=256)
def _form(
    allowed: frozenset[str],
    named: frozenset[str],
    present: tuple[str, ...],
    types: tuple[type, ...],
) -> _Form:
    kept = sorted((allowed | named).intersection(present))
    type_of = dict(zip(present, types, strict=True))
    writers = [quoted if type_of[name] is str else value_text for name in kept]
    names = tuple(quoted(name) + ":" for name in kept)
    text = ",".join(name.replace("%", "%%") + "%s" for name in names)
    longest = max(map(len, names), default=0) + len("{}")
    return _Form(tuple(kept), names, _values(kept, writers), "{" + text + "}", longest)


def _values(
    names: list[str], writers: list[Callable[[Any], str]]
) -> Callable[[Claims], tuple[str, ...]]:
    if not names:
        return lambda _: ()
    # Asked for one name alone it would give no tuple; what has no writer is passed over.
    pick = itemgetter(*names, names[0])
    return lambda claims: tuple(map(call, writers, pick(claims)))


def _bounded(form: _Form, values: tuple[str, ...]) -> RecordedObject:
    """Keep the members of an object that fit, one by one and together, and the names of others."""
    fitting: list[str] = []
    left_out: list[str] = []
    total = 0
    for name, begins, value in zip(form.kept, form.names, values, strict=True):
        size = len(begins) + len(value) + len("{}")
        if size <= MAX_CLAIM_BYTES and total + size <= MAX_CLAIMS_BYTES:
            fitting.append(begins + value)
            total += size
        else:
            left_out.append(name)
    return RecordedObject("{" + ",".join(fitting) + "}", tuple(left_out))


def subject_token_id(claims: Claims) -> str | None:
    """Give a fingerprint of the presented token, None when it has no `jti`.

    Over issuer and `jti`, not over the text: the text of a token is malleable (attacks row 14).
    """
    jti = text_of(claims.get("jti"))
    if jti is None:
        return None
    return hashlib.sha256(f"[{quoted(claims['iss'])},{quoted(jti)}]".encode()).hexdigest()
