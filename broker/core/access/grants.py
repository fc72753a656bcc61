"""Every grant of a policy set: by each of its policies, and by credentials of its accounts.

What a policy gives is asked of the functions that decide by it, and what credentials give of the
decision itself, so that a review cannot say anything else than a broker does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from broker.core import client
from broker.core.access.grant import AccessGrant, Mark, events_named
from broker.core.accounts_in_force import with_accounts
from broker.core.blocks import NO_BLOCKS, Blocks
from broker.core.conditions import AnyOf, Condition, Effect, Equals
from broker.core.decision import DecisionRequest, Permit, available_scopes, comes_to_nothing
from broker.core.indexed_policies import granted
from broker.core.managed_account import (
    MANAGED_BY_API,
    MANAGED_BY_FILE,
    AccountOverride,
    ManagedAccount,
)
from broker.core.policy import Issuer, Mode, Policy, PolicySet, Service, ServiceAccount
from broker.core.policy_lint.matcher_relations import can_both_hold


@dataclass(frozen=True, slots=True)
class StoredState:
    """What a store says beside the files: which accounts were made, and what is stopped."""

    managed: tuple[ManagedAccount, ...] = ()
    overrides: tuple[AccountOverride, ...] = ()
    issuers_off: frozenset[str] = frozenset()
    """By name; the files may have some of them no more."""

    blocks: Blocks = NO_BLOCKS

    def applied(self, policy_set: PolicySet, now: float) -> PolicySet:
        """Give the set of the files as it counts with this; `now` in seconds since the epoch."""
        issuers = {
            name: replace(each, enabled=each.enabled and name not in self.issuers_off)
            for name, each in policy_set.issuers.items()
        }
        whole = replace(policy_set, issuers=issuers)
        return with_accounts(whole, self.managed, self.overrides, now)


def access_grants(
    policy_set: PolicySet, stored: StoredState | None, now: float
) -> tuple[AccessGrant, ...]:
    """Give every grant, ordered by service, scope, account and policy.

    `policy_set` is that of the files; `stored` None when no store was asked. `now` is in seconds
    since the epoch. What gives nothing now is there with its marks.
    """
    return tuple(sorted(_Grants(policy_set, stored, now).every(), key=lambda each: each.order))


class _Grants:
    """The grants of one set, at one instant."""

    def __init__(self, policy_set: PolicySet, stored: StoredState | None, now: float) -> None:
        self._in_files = policy_set.service_accounts
        self._stored = stored
        self._now = now
        asked = stored or StoredState()
        self._set = asked.applied(policy_set, now)
        self._blocks = asked.blocks
        self._ends = {
            each.client_id: each.expires_at
            for each in asked.managed
            # A row that was deleted, or that a file has taken the place of, ends nothing.
            if each.deleted_at is None and each.client_id not in self._in_files
        }
        self._denies: dict[str, list[Policy]] = {name: [] for name in policy_set.issuers}
        for policy in policy_set.policies.values():
            enforced = policy.effect is Effect.DENY and policy.mode is Mode.ENFORCE
            if enforced and not self._over(policy):
                self._denies[policy.issuer].append(policy)

    def every(self) -> Iterator[AccessGrant]:
        """Give all, in no order."""
        for policy in self._set.policies.values():
            if policy.effect is Effect.ALLOW:
                yield from self._by_policy(policy)
        for client_id in self._set.service_accounts:
            account = self._set.service_accounts[client_id]
            if account.secrets_allowed:
                yield from self._by_credentials(account)

    def _by_policy(self, policy: Policy) -> Iterator[AccessGrant]:
        client_id = policy.service_account or ""
        account = self._set.service_accounts.get(client_id)
        issuer = self._set.issuers[policy.issuer]
        marks = self._marks(policy, account)
        denies = denies_that_may_hold(policy, self._denies[policy.issuer], issuer)
        for name in granted(policy, self._set):
            service = self._set.services[name]
            denied_by = sorted(
                each.name for each in denies if each.services is None or name in each.services
            )
            for scope in _scopes(policy, account, service, self._set):
                yield AccessGrant(
                    service,
                    scope,
                    client_id,
                    account,
                    policy,
                    issuer,
                    marks,
                    tuple(denied_by),
                    self._managed_by(account),
                    self._ends.get(client_id),
                )

    def _by_credentials(self, account: ServiceAccount) -> Iterator[AccessGrant]:
        blocked = self._blocks.of_account((account.client_id,), self._now) is not None
        marks = _marks_that_hold(
            {Mark.ACCOUNT_DISABLED: not account.enabled, Mark.BLOCKED: blocked}
        )
        for name in account.grants:
            request = DecisionRequest(targets=(name,))
            decision = client.decide(account, request, self._set, NO_BLOCKS, self._now)
            if not isinstance(decision, Permit):
                continue
            for scope in decision.scopes or (None,):
                yield AccessGrant(
                    decision.service,
                    scope,
                    account.client_id,
                    account,
                    marks=marks,
                    managed_by=self._managed_by(account),
                    account_expires_at=self._ends.get(account.client_id),
                )

    def _marks(self, policy: Policy, account: ServiceAccount | None) -> tuple[Mark, ...]:
        unknown = Mark.ACCOUNT_NOT_LOOKED_UP if self._stored is None else Mark.ACCOUNT_MISSING
        marks = {
            Mark.OBSERVED: policy.mode is Mode.OBSERVE,
            Mark.EXPIRED: self._over(policy),
            Mark.ISSUER_DISABLED: not self._set.issuers[policy.issuer].enabled,
            Mark.ACCOUNT_DISABLED: account is not None and not account.enabled,
            unknown: account is None,
            Mark.BLOCKED: self._is_blocked(policy),
        }
        return _marks_that_hold(marks)

    def _is_blocked(self, policy: Policy) -> bool:
        """Tell whether a block stops a policy whatever a job claims."""
        issuer, account = self._set.issuers[policy.issuer], (policy.service_account or "",)
        blocks, now = self._blocks, self._now
        return (
            blocks.of_token({}, issuer, now) is not None
            or blocks.of_decision({}, issuer, account, (policy.name,), now) is not None
        )

    def _over(self, policy: Policy) -> bool:
        return policy.expires_at is not None and self._now >= policy.expires_at

    def _managed_by(self, account: ServiceAccount | None) -> str | None:
        if account is None:
            return None
        return MANAGED_BY_FILE if account.client_id in self._in_files else MANAGED_BY_API


def _marks_that_hold(marks: Mapping[Mark, bool]) -> tuple[Mark, ...]:
    return tuple(mark for mark, holds in marks.items() if holds)


def _scopes(
    policy: Policy, account: ServiceAccount | None, service: Service, policy_set: PolicySet
) -> Sequence[str | None]:
    """Give the scopes that a policy makes available; None stands for a token without any."""
    available = available_scopes([policy], account, service)
    if available:
        return sorted(available)
    if account is None:
        # What its grants will be, nobody knows: the policy's own bound them.
        nothing = bool(granted(policy, policy_set)[service.name])
    else:
        nothing = comes_to_nothing([policy], account, service, policy_set)
    return () if nothing else (None,)


def denies_that_may_hold(allow: Policy, denies: Iterable[Policy], issuer: Issuer) -> list[Policy]:
    """Give the deny policies that may hold for a token that an allow policy holds for.

    Those that surely exclude it are left out; all are of the issuer.
    """
    asked: dict[str, list[Condition]] = {}
    for each in (*allow.conditions, *_guard(allow, issuer)):
        # Of a claim that is a list, one element may satisfy the one and another one the other.
        if _has_one_value(each.claim, issuer):
            asked.setdefault(each.claim, []).append(each)
    return [
        deny
        for deny in denies
        if not any(
            can_both_hold(one, other) is False
            for other in deny.conditions
            for one in asked.get(other.claim, ())
        )
    ]


def _guard(allow: Policy, issuer: Issuer) -> Iterator[Condition]:
    """Give the guard as a condition: the events for which an allow policy can hold."""
    platform = issuer.platform
    if platform is not None:
        named = events_named(allow, platform)
        events = tuple(Equals(each) for each in sorted(platform.trusted_events | named))
        yield Condition(platform.event_claim, AnyOf(events))


def _has_one_value(claim: str, issuer: Issuer) -> bool:
    """Tell whether a claim is no list in any token of an issuer, as far as is known of it."""
    if issuer.platform is None:
        return claim == "sub"
    return claim in issuer.platform.audit_claims
