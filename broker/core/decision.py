"""The decision: verified claims, a request and a policy set in; Permit or Deny out (contract §4).

Pure and without order: neither the order of files nor of policies can change it. The steps of
`decide` are the numbered steps of the contract.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from broker.core.blocks import Block, Blocks
from broker.core.claims import Claims
from broker.core.conditions import Effect, all_hold, pinned_claims
from broker.core.errors import Reason
from broker.core.holding import visible_to_caller
from broker.core.indexed_policies import granted
from broker.core.instances import sub_of
from broker.core.policy import (
    Issuer,
    Policy,
    PolicySet,
    Replay,
    Service,
    ServiceAccount,
)
from broker.core.record import record
from broker.core.shaped_claims import JobFacts, TemplateFault, shaped_claims
from broker.core.token_shape import TokenShape

MIN_REMAINING_LIFE = 300


@record
class DecisionRequest:
    """What is asked for, whichever grant carried it."""

    targets: tuple[str, ...] = ()
    """Service names or audience URIs; several may spell the same service."""

    scopes: tuple[str, ...] | None = None
    """None asks for all that is available."""

    client_id: str | None = None
    expires_in: int | None = None
    """Seconds."""


@record
class Permit:
    """The request is served, with exactly this."""

    service: Service
    service_account: ServiceAccount
    sub: str
    scopes: tuple[str, ...]
    ttl: int
    policies: tuple[str, ...]
    claims: Mapping[str, Any] | None = None
    """The service's own claims, filled in; None for a service without any."""


@record
class Deny:
    """The request is refused.

    `reason` is for the operator; `public_reason` is what the caller may see (contract §5, two
    levels). `policies` are the names that held, `service_accounts` the choice when ambiguous.
    """

    reason: Reason
    public_reason: Reason
    policies: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    detail: str = ""
    template: TemplateFault | None = None
    """The template of the service that cannot be filled in, where that is the reason."""

    template_told: bool = True
    """Whether the caller may know of it: one of its policies is visibly its own."""

    @property
    def block(self) -> str | None:
        """The block that refused it, as the audit names it."""
        return self.detail if self.reason is Reason.BLOCKED else None


Decision = Permit | Deny


class CountingPolicies(Protocol):
    """The policies that count in a decision, as `IndexedPolicies` has them."""

    @property
    def policy_set(self) -> PolicySet:
        """The set that they are of."""
        ...

    @property
    def blocks(self) -> Blocks:
        """What is refused whatever they say."""
        ...

    def allowing(self, issuer: Issuer, claims: Claims, now: float) -> list[Policy]:
        """List the allow policies that hold, by name."""
        ...

    def denying(self, issuer: Issuer, claims: Claims, now: float) -> list[Policy]:
        """List the deny policies that hold, by name."""
        ...


def decide(
    claims: Claims,
    issuer: Issuer,
    request: DecisionRequest,
    policies: CountingPolicies,
    now: float,
) -> Decision:
    """Decide one request of one verified token. `now` is in seconds since the epoch."""
    # 1 blocks
    blocks = policies.blocks
    if not blocks:
        return _by_policies(claims, issuer, request, policies, now)
    if block := blocks.of_token(claims, issuer, now):
        return blocked(block)
    decision = _by_policies(claims, issuer, request, policies, now)
    # Those that name an account or a policy: which it would be, the policies say.
    if isinstance(decision, Permit):
        account = (decision.service_account.client_id, decision.sub)
        if block := blocks.of_decision(claims, issuer, account, decision.policies, now):
            return blocked(block)
    return decision


def blocked(block: Block) -> Deny:
    """Refuse what a block holds for."""
    return _deny(Reason.BLOCKED, detail=block.block_id)


def _by_policies(
    claims: Claims,
    issuer: Issuer,
    request: DecisionRequest,
    policies: CountingPolicies,
    now: float,
) -> Decision:
    policy_set = policies.policy_set
    # 2 the issuer's own minimum
    if not all_hold(issuer.require, claims, Effect.ALLOW):
        return _deny(Reason.NO_POLICY_MATCHED, detail=f"`require` of issuer {issuer.name}")
    # 3 the policies that hold
    allows = policies.allowing(issuer, claims, now)
    if request.client_id is not None:
        allows = [each for each in allows if each.service_account == request.client_id]
    if not allows:
        return _deny(Reason.NO_POLICY_MATCHED)
    # 4 the target
    service = _target(request, allows, policy_set)
    if isinstance(service, Deny):
        return service
    allows = [each for each in allows if service.name in granted(each, policy_set)]
    if not allows:
        return _deny(Reason.TARGET_UNKNOWN, detail=f"none of the policies grants {service.name}")
    if not all_hold(service.minimum(issuer), claims, Effect.ALLOW):
        return _deny(Reason.NO_POLICY_MATCHED, allows, detail=f"`require` of {service.name}")
    # 5 deny policies
    denies = [
        each
        for each in policies.denying(issuer, claims, now)
        if each.services is None or service.name in each.services
    ]
    if denies:
        visible = any(visible_to_caller(each, issuer, claims) for each in allows)
        public = Reason.DENIED_BY_POLICY if visible else Reason.NO_POLICY_MATCHED
        return _deny(Reason.DENIED_BY_POLICY, denies, public=public)
    # 6 the service account
    account = _account(request, allows, service, policy_set)
    if isinstance(account, Deny):
        return account
    allows = [each for each in allows if each.service_account == account.client_id]
    # 7 the scopes
    available = available_scopes(allows, account, service)
    asked = available if request.scopes is None else frozenset(request.scopes)
    if not asked <= available:
        return _deny(Reason.SCOPE_NOT_ALLOWED, allows, detail=" ".join(sorted(asked - available)))
    if not available and comes_to_nothing(allows, account, service, policy_set):
        return _deny(Reason.SCOPE_NOT_ALLOWED, allows)
    # 8 the time to live
    ttl = _ttl(request, allows, account, service, issuer, claims, now)
    sub = sub_of(account, claims, issuer)
    if sub is None:
        return _deny(Reason.CLAIM_INVALID, allows, detail=f"instances of {account.client_id}")
    permit = Permit(service, account, sub, tuple(sorted(asked)), ttl, tuple(map(_name, allows)))
    return (
        permit if service.shape is None else _shaped(permit, service.shape, issuer, claims, allows)
    )


def _shaped(
    permit: Permit, shape: TokenShape, issuer: Issuer, claims: Claims, allows: Sequence[Policy]
) -> Decision:
    """Fill in the claims of the service's own, or refuse."""
    pinned = pinned_claims(condition for each in allows for condition in each.conditions)
    job = JobFacts(claims, issuer.platform, pinned)
    decision = with_claims(permit, shape, job)
    if isinstance(decision, Deny):
        told = any(visible_to_caller(each, issuer, claims) for each in allows)
        return replace(decision, template_told=told)
    return decision


def with_claims(permit: Permit, shape: TokenShape, job: JobFacts) -> Decision:
    """Fill in the claims of the service's own; a template that cannot be filled in refuses."""
    found = shaped_claims(permit.service, shape, permit.service_account, permit.sub, job)
    if isinstance(found, TemplateFault):
        reason = Reason.CLAIM_INVALID
        return Deny(reason, reason, permit.policies, detail=str(found), template=found)
    return replace(permit, claims=found)


def _target(
    request: DecisionRequest, allows: Sequence[Policy], policy_set: PolicySet
) -> Service | Deny:
    if not request.targets:
        names = {name for each in allows for name in granted(each, policy_set)}
        if len(names) == 1:
            return policy_set.services[names.pop()]
        return _deny(Reason.TARGET_REQUIRED, allows)
    named: dict[str, Service] = {}
    for target in request.targets:
        service = policy_set.service(target)
        if service is None:
            return _deny(Reason.TARGET_UNKNOWN, allows, detail="no such service")
        named[service.name] = service
    if len(named) > 1:
        return _deny(Reason.TARGET_UNKNOWN, allows, detail="one service per token")
    return next(iter(named.values()))


def _account(
    request: DecisionRequest, allows: Sequence[Policy], service: Service, policy_set: PolicySet
) -> ServiceAccount | Deny:
    by_account: dict[str, list[Policy]] = {}
    for policy in allows:
        by_account.setdefault(policy.service_account or "", []).append(policy)
    choice = sorted(by_account)
    if len(choice) > 1:
        asked = frozenset(request.scopes or ())
        able = {
            client_id
            for client_id, its_allows in by_account.items()
            if asked
            <= available_scopes(its_allows, policy_set.service_accounts.get(client_id), service)
        }
        choice = sorted(able or by_account)
    if len(choice) > 1:
        return _deny(Reason.AMBIGUOUS_ACCOUNT, allows, service_accounts=tuple(choice))
    account = policy_set.service_accounts.get(choice[0])
    if account is None or not account.enabled:
        return _deny(Reason.ACCOUNT_DISABLED, by_account[choice[0]], detail=choice[0])
    return account


def available_scopes(
    allows: Iterable[Policy], account: ServiceAccount | None, service: Service
) -> frozenset[str]:
    """Unite what the policies grant of one account, within its grants and the catalogue."""
    held = account.grants.get(service.name, frozenset()) if account else frozenset(service.scopes)
    available: set[str] = set()
    for policy in allows:
        narrowed = held if policy.grants is None else policy.grants.get(service.name, frozenset())
        available |= narrowed & held
    return frozenset(available & service.scopes.keys())


def comes_to_nothing(
    allows: Iterable[Policy], account: ServiceAccount, service: Service, policy_set: PolicySet
) -> bool:
    """Tell whether nothing is available because account, policies and catalogue do not meet.

    A token without scopes is for an account that is granted the service as `[]`. To any other it
    would say that somebody may do something there (contract §4: absent means no).
    """
    return service.name not in account.grants or any(
        granted(each, policy_set)[service.name] for each in allows
    )


def _ttl(
    request: DecisionRequest,
    allows: Sequence[Policy],
    account: ServiceAccount,
    service: Service,
    issuer: Issuer,
    claims: Claims,
    now: float,
) -> int:
    stated = [each.ttl for each in allows if each.ttl is not None]
    wanted = request.expires_in or (min(stated) if stated else account.ttl or service.ttl)
    caps = [each.max_ttl for each in allows if each.max_ttl is not None]
    caps += [service.max_ttl] if account.max_ttl is None else [service.max_ttl, account.max_ttl]
    if issuer.replay is not Replay.SINGLE_USE:
        caps.append(max(int(claims["exp"] - now), MIN_REMAINING_LIFE))
    return min(wanted, *caps)


def _deny(
    reason: Reason,
    policies: Sequence[Policy] = (),
    *,
    public: Reason | None = None,
    service_accounts: tuple[str, ...] = (),
    detail: str = "",
) -> Deny:
    names = tuple(map(_name, policies))
    return Deny(reason, public or reason, names, service_accounts, detail)


def _name(policy: Policy) -> str:
    return policy.name
