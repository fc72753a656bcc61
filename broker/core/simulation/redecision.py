"""A decision on record, made again by another policy set.

Made with the instant of then and without blocks: spent tokens and limits have no say. Pipelines ask
for the same all day long, so that what was decided is remembered by all that a decision looks at;
it is the same as without.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from broker.core import client
from broker.core.blocks import NO_BLOCKS
from broker.core.claims import Claims, are_texts, fold_ascii
from broker.core.decision import MIN_REMAINING_LIFE, Decision, Deny, decide
from broker.core.errors import Reason
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Issuer, Replay, ServiceAccount
from broker.core.simulation.outcome import Outcome, Undecidable
from broker.core.simulation.past_decision import EventRefused, PastDecision
from broker.core.simulation.told_apart import texts_told_apart
from broker.core.simulation.unrecorded import (
    RECORDED_BY_PRESET,
    OpenPolicies,
    is_full,
    unknown_claims,
)

REMEMBERED: Final = 20_000
"""How many decisions are remembered, and as many of before."""

ERASED: Final = "the claims were erased"
NOT_RECORDED: Final = "claims that are not on record"
NO_ACCOUNT: Final = "an account that the files do not have"
NO_EXPIRY: Final = "the end of the token is not on record"

_FAR: Final = 1 << 40
"""An `exp` that cuts no life, in seconds since the epoch."""

_MOST_OPEN: Final = 64
_NONE: Final[frozenset[str]] = frozenset()
_OTHER: Final = (None,)
"""Stands for a text that no decision tells apart from others."""


@dataclass(frozen=True, slots=True)
class _Lens:
    """What decisions on the tokens of one issuer look at, that were recorded by one preset."""

    issuer: Issuer
    names: tuple[str, ...]
    always: frozenset[str]
    """The claims that any event of the preset holds, that the issuer had then."""

    beyond: bool
    """Whether decisions look at others as well."""

    by_expiry: bool
    """Whether a condition looks at `exp`."""

    told_apart: tuple[tuple[int, frozenset[str]], ...]
    """By the place of a name, the texts that decisions tell apart from any other; of a name that is
    not among them each from each."""

    def key(self, values: tuple[object, ...]) -> tuple[object, ...]:
        """Give the same for all values of these names that no decision tells apart."""
        kept = list(_hashable(values))
        for place, texts in self.told_apart:
            value = kept[place]
            if (
                type(value) is str
                and value
                and value not in texts
                and fold_ascii(value) not in texts
            ):
                kept[place] = _OTHER
        return tuple(kept)


class Redeciding(Protocol):
    """What a decision on record would come to otherwise."""

    def decide(self, past: PastDecision) -> Outcome | Undecidable:
        """Decide once more. Raises `EventRefused`."""
        ...

    def lifts(self, past: PastDecision) -> bool:
        """Tell whether what an issuer's entry refused then would not be refused now."""
        ...


class Redecision:
    """Decides what is on record by a policy set; implements `Redeciding`."""

    def __init__(
        self,
        policies: IndexedPolicies,
        *,
        base: IndexedPolicies | None = None,
        all_accounts: bool = False,
        own_audiences: frozenset[str] = frozenset(),
        remembered: int = REMEMBERED,
    ) -> None:
        """`base` is the set that most of it was decided by, if it is there.

        `all_accounts` tells whether the set holds those that were made through the API as well. An
        issuer whose audiences are `own_audiences` takes any: which URL the broker has, its policies
        do not say.
        """
        self._policies = policies
        self._base = base
        self._all_accounts = all_accounts
        self._own = own_audiences
        policy_set = policies.policy_set
        self._ends = sorted(
            {each.expires_at for each in policy_set.policies.values() if each.expires_at}
        )
        self._lenses = {
            (issuer.url, platform): self._lens(issuer, always)
            for issuer in policy_set.issuers.values()
            for platform, always in RECORDED_BY_PRESET.items()
        }
        self._named: dict[tuple[str | None, str | None], frozenset[str]] = {}
        for known in (policies, base):
            if known is not None and known.policy_set.version:
                for name, claims in known.named_claims.items():
                    self._named[known.policy_set.version, name] = claims
        self._open: dict[tuple[str, tuple[str, ...], frozenset[str]], OpenPolicies] = {}
        self._reduced: dict[frozenset[str], IndexedPolicies] = {}
        self._memory = _Memory(remembered)

    def decide(
        self, past: PastDecision, *, without: frozenset[str] = _NONE
    ) -> Outcome | Undecidable:
        """Decide once more, `without` policies of these names. Raises `EventRefused`."""
        if past.client_id is not None:
            return self._client(past.client_id, past)
        claims = past.claims
        if claims is None:
            return Undecidable(ERASED)
        url = claims.get("iss")
        if not isinstance(url, str):
            raise EventRefused("`claims.iss` is no text")
        preset = past.platform if past.platform in RECORDED_BY_PRESET else None
        lens = self._lenses.get((url, preset))
        if lens is None:
            return Outcome(Reason.ISSUER_NOT_TRUSTED)
        issuer = lens.issuer
        refused = self._refused_before(claims, issuer)
        if refused is not None:
            return Outcome(refused)
        single_use = issuer.replay is Replay.SINGLE_USE
        expires = claims.get("exp")
        if single_use:
            return self._by_policies(past, lens, claims, without, cut=False)
        if not isinstance(expires, int | float) or not 0 < expires < _FAR:
            return Undecidable(NO_EXPIRY, ("exp",))
        found = self._by_policies(past, lens, claims, without, cut=True)
        if not isinstance(found, Outcome) or found.ttl is None:
            return found
        left = max(int(expires - past.time), MIN_REMAINING_LIFE)
        return replace(found, ttl=left, cut=True) if left <= found.ttl else found

    def lifts(self, past: PastDecision) -> bool:
        """Tell whether what an issuer's entry refused then is what this set would not refuse.

        Raises `EventRefused`.
        """
        claims = past.claims or {}
        url = claims.get("iss")
        issuer = self._policies.policy_set.issuer_by_url(url) if isinstance(url, str) else None
        if issuer is None or self._refused_before(claims, issuer) is not None:
            return False
        if (audience := _audience(claims)) is None:
            # No issuer takes a token for several.
            return False
        match past.outcome.reason:
            case Reason.TOKEN_ALREADY_USED:
                return self._reusable(issuer)
            case Reason.AUDIENCE_MISMATCH:
                # Which audiences are the broker's own is not known: these are taken as they are.
                return audience in issuer.audiences
            case _:
                return True

    def _reusable(self, issuer: Issuer) -> bool:
        """Tell whether a token may be used where one of then had been used before."""
        if issuer.replay is not Replay.PER_AUDIENCE:
            return issuer.replay is Replay.REUSABLE
        before = self._base.policy_set.issuer_by_url(issuer.url) if self._base else None
        return before is not None and before.replay is Replay.SINGLE_USE

    def _by_policies(
        self,
        past: PastDecision,
        lens: _Lens,
        claims: Claims,
        without: frozenset[str],
        *,
        cut: bool,
    ) -> Outcome | Undecidable:
        values = tuple(map(claims.get, lens.names))
        unknown: tuple[str, ...] = ()
        if None in values:
            absent = [name for name in lens.names if name not in claims]
            recorded = self._recorded(past, lens, claims) if lens.beyond else lens.always
            full = past.large and is_full(claims)
            unknown = unknown_claims(absent, recorded, lens.issuer, full=full)
        elif lens.beyond:
            self._recorded(past, lens, claims)
        end = bisect_right(self._ends, past.time)
        key = (lens.issuer.url, lens.key(values), past.asked, end, unknown, without)
        if lens.by_expiry:
            return self._decided(past, lens, claims, unknown, without)
        found = self._memory.get(key)
        if found is None:
            # The life that is left is taken into account afterwards: it differs each time.
            lasting = {**claims, "exp": _FAR} if cut else claims
            found = self._decided(past, lens, lasting, unknown, without)
            self._memory.keep(key, found)
        return found

    def _decided(
        self,
        past: PastDecision,
        lens: _Lens,
        claims: Claims,
        unknown: tuple[str, ...],
        without: frozenset[str],
    ) -> Outcome | Undecidable:
        issuer, request, now = lens.issuer, past.request, past.time
        policies = self._policies_without(without) if without else self._policies
        if not unknown:
            return self._told(decide(claims, issuer, request, policies, now))
        platform = issuer.platform
        if platform is not None and platform.event_claim in unknown:
            return Undecidable(NOT_RECORDED, (platform.event_claim,))
        open_policies = self._open_policies(policies, issuer, unknown, without)
        possible = open_policies.possible(claims, request, now)
        told = [self._told(each) for each in possible.decisions]
        unsure = [each for each in told if isinstance(each, Undecidable)]
        if unsure:
            return unsure[0]
        return told[0] if possible.settled() else Undecidable(NOT_RECORDED, possible.claims)

    def _told(self, decision: Decision) -> Outcome | Undecidable:
        """Give what a decision comes to, unless it hangs on an account that is not there."""
        outcome = Outcome.of(decision)
        if self._all_accounts or not isinstance(decision, Deny):
            return outcome
        asked: Collection[str] = ()
        if decision.reason is Reason.ACCOUNT_DISABLED:
            asked = (decision.detail,)
        elif decision.reason is Reason.AMBIGUOUS_ACCOUNT:
            asked = decision.service_accounts
        missing = [each for each in asked if not self._has_account(each)]
        return Undecidable(NO_ACCOUNT, detail=missing[0]) if missing else outcome

    def _client(self, client_id: str, past: PastDecision) -> Outcome | Undecidable:
        """Decide by the grants of an account that asked with credentials of its own."""
        account = self._policies.policy_set.service_accounts.get(client_id)
        if account is None:
            in_base = self._base and client_id in self._base.policy_set.service_accounts
            if in_base:
                return Outcome(Reason.CLIENT_UNKNOWN_OR_BAD_SECRET)
            return Undecidable(NO_ACCOUNT, detail=client_id)
        if not account.enabled or not account.secrets_allowed:
            return Outcome(Reason.CLIENT_UNKNOWN_OR_BAD_SECRET)
        key = (client_id, past.asked)
        found = self._memory.get(key)
        if found is None:
            policy_set = self._policies.policy_set
            found = Outcome.of(
                client.decide(account, past.request, policy_set, NO_BLOCKS, past.time)
            )
            self._memory.keep(key, found)
        return found

    def _refused_before(self, claims: Claims, issuer: Issuer) -> Reason | None:
        """Say why a token of this issuer would be refused before its policies are asked.

        Only what policy files say of it, and what is on record.
        """
        if not issuer.enabled:
            return Reason.ISSUER_DISABLED
        audience = _audience(claims)
        if (
            audience is not None
            and audience not in issuer.audiences
            and not issuer.audiences <= self._own
        ):
            return Reason.AUDIENCE_MISMATCH
        expires, issued = claims.get("exp"), claims.get("iat")
        if (
            isinstance(expires, int)
            and isinstance(issued, int)
            and expires - issued > issuer.max_token_lifetime
        ):
            return Reason.TOKEN_LIFETIME_TOO_LONG
        return None

    def _recorded(self, past: PastDecision, lens: _Lens, claims: Claims) -> frozenset[str]:
        """Name the claims that events of this one's moment hold, as far as that is known.

        What one of them holds, and no allow-list has, a policy of then named.
        """
        moment = (past.policy_set, past.issuer)
        named = self._named.get(moment, frozenset())
        seen = claims.keys() - lens.always
        # What names no set may be of several, of which one named it and another did not.
        if not seen <= named and past.policy_set is not None:
            named = self._named[moment] = named | seen
        return lens.always | named

    def _has_account(self, client_id: str) -> bool:
        return client_id in self._policies.policy_set.service_accounts

    def _open_policies(
        self,
        policies: IndexedPolicies,
        issuer: Issuer,
        unknown: tuple[str, ...],
        without: frozenset[str],
    ) -> OpenPolicies:
        key = (issuer.name, unknown, without)
        found = self._open.get(key)
        if found is None:
            if len(self._open) >= _MOST_OPEN:
                self._open.clear()
            found = self._open[key] = OpenPolicies(policies, issuer, unknown)
        return found

    def _policies_without(self, names: frozenset[str]) -> IndexedPolicies:
        found = self._reduced.get(names)
        if found is None:
            if len(self._reduced) >= _MOST_OPEN:
                self._reduced.clear()
            found = self._reduced[names] = self._policies.without(names)
        return found

    def _lens(self, issuer: Issuer, always: frozenset[str]) -> _Lens:
        policies = self._policies
        named = set(policies.named_claims[issuer.name])
        by_expiry = "exp" in named
        if issuer.platform is not None:
            named.add(issuer.platform.event_claim)
        for account in _accounts_of(policies, issuer):
            named.update(account.instances)
        names = tuple(sorted(named))
        told_apart = texts_told_apart(policies.policy_set, issuer)
        return _Lens(
            issuer,
            names,
            always,
            not named <= always,
            by_expiry,
            tuple(
                (place, told_apart[name]) for place, name in enumerate(names) if name in told_apart
            ),
        )


class _Memory:
    """What was decided lately: as many as fit, and as many of before these."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._now: dict[object, Outcome | Undecidable] = {}
        self._before: dict[object, Outcome | Undecidable] = {}

    def get(self, key: object) -> Outcome | Undecidable | None:
        """Give what was decided, None when that is not remembered."""
        found = self._now.get(key)
        if found is None and (found := self._before.get(key)) is not None:
            self.keep(key, found)
        return found

    def keep(self, key: object, found: Outcome | Undecidable) -> None:
        """Remember a decision."""
        if len(self._now) >= self._size:
            self._before, self._now = self._now, {}
        self._now[key] = found


def _audience(claims: Claims) -> str | None:
    """Name the sole audience of a token, as far as that is on record."""
    audience = claims.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        [audience] = audience
    return audience if isinstance(audience, str) else None


def _accounts_of(policies: IndexedPolicies, issuer: Issuer) -> Iterator[ServiceAccount]:
    accounts = policies.policy_set.service_accounts
    for policy in policies.policy_set.policies.values():
        account = accounts.get(policy.service_account or "")
        if policy.issuer == issuer.name and account is not None:
            yield account


def _hashable(values: tuple[object, ...]) -> tuple[object, ...]:
    """Tell values apart as conditions do: 1, true and "1" are three."""
    if are_texts(values):
        return values
    return tuple(
        each if each is None or isinstance(each, str) else (type(each).__name__, repr(each))
        for each in values
    )
