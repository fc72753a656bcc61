"""The decision: verified claims, a request and a policy set in; Permit or Deny out (contract §4).

Pure and without order: neither the order of files nor of policies can change it. The steps of
`decide` are the numbered steps of the contract.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from broker.core.blocks import NO_BLOCKS, Block, Blocks
from broker.core.claims import Claims, fold_ascii, text_of
from broker.core.conditions import Effect, all_hold, pinned_claims
from broker.core.errors import Reason
from broker.core.neighbours import Neighbours
from broker.core.policy import (
    Grants,
    Issuer,
    Mode,
    Policy,
    PolicySet,
    Replay,
    Service,
    ServiceAccount,
)
from broker.core.policy_index import PolicyIndex
from broker.core.record import record
from broker.core.shaped_claims import JobFacts, TemplateFault, shaped_claims
from broker.core.steps import Steps, finish
from broker.core.tenant_floor import is_tenant_condition
from broker.core.token_shape import TokenShape, claim_of_job

MIN_REMAINING_LIFE = 300
MAX_SUB_BYTES = 127
_INSTANCE_VALUE = re.compile(r"[A-Za-z0-9._-]{1,100}")


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


@dataclass(frozen=True, slots=True)
class IndexedPolicies:
    """The enforcing policies of a set, by issuer and effect; made once per set."""

    policy_set: PolicySet
    named_claims: Mapping[str, frozenset[str]] = field(repr=False)
    """By issuer, every claim that one of its policies or its own `require` names, or a template of
    a service that one of them reaches."""

    _allow: Mapping[str, PolicyIndex] = field(repr=False)
    _deny: Mapping[str, PolicyIndex] = field(repr=False)
    _observed: Mapping[str, PolicyIndex] = field(repr=False)
    _neighbours: Mapping[str, Neighbours] = field(repr=False)
    blocks: Blocks = field(default=NO_BLOCKS, repr=False, compare=False)
    """Beside the policies, and before them; no part of the set."""

    @classmethod
    def of(cls, policy_set: PolicySet) -> "IndexedPolicies":
        """Index a policy set; observed policies stand apart, they grant and deny nothing."""
        return finish(cls.in_steps(policy_set))

    @classmethod
    def in_steps(cls, policy_set: PolicySet) -> Steps["IndexedPolicies"]:
        """Index a policy set, as `of` does, with a pause after every policy.

        Whoever serves requests meanwhile takes some steps at a time.
        """
        indexes = {
            effect: {name: PolicyIndex(issuer) for name, issuer in policy_set.issuers.items()}
            for effect in Effect
        }
        observed = {name: PolicyIndex(issuer) for name, issuer in policy_set.issuers.items()}
        everywhere = [each for service in policy_set.services.values() for each in service.require]
        by_issuer: dict[str, list[Policy]] = {name: [] for name in policy_set.issuers}
        named = {
            name: {condition.top_level_claim for condition in (*issuer.require, *everywhere)}
            for name, issuer in policy_set.issuers.items()
        }
        shaped = {name for name, each in policy_set.services.items() if each.shape is not None}
        for policy in policy_set.policies.values():
            by_issuer[policy.issuer].append(policy)
            named[policy.issuer].update(each.top_level_claim for each in policy.conditions)
            if shaped:
                named[policy.issuer].update(_in_templates(policy, policy_set))
            filed = indexes[policy.effect] if policy.mode is Mode.ENFORCE else observed
            filed[policy.issuer].file(policy)
            yield
        neighbours = {}
        for name, issuer in policy_set.issuers.items():
            neighbours[name] = yield from Neighbours.in_steps(
                issuer, by_issuer[name], lambda each: granted(each, policy_set)
            )
        frozen = {name: frozenset(claims) for name, claims in named.items()}
        allow, deny = indexes[Effect.ALLOW], indexes[Effect.DENY]
        return cls(policy_set, frozen, allow, deny, observed, neighbours)

    def allowing(self, issuer: Issuer, claims: Claims, now: float) -> list[Policy]:
        """List the allow policies that hold, by name."""
        return _holding(self._allow[issuer.name], issuer, claims, now)

    def denying(self, issuer: Issuer, claims: Claims, now: float) -> list[Policy]:
        """List the deny policies that hold, by name."""
        return _holding(self._deny[issuer.name], issuer, claims, now)

    def observed(self, issuer: Issuer, claims: Claims, now: float) -> list[Policy]:
        """List the policies that are observed only, of both effects, and hold, by name."""
        return _holding(self._observed[issuer.name], issuer, claims, now)

    def neighbours(self, issuer: Issuer) -> Neighbours:
        """Give the policies of an issuer, of every mode, as an explanation looks for them."""
        return self._neighbours[issuer.name]


def decide(
    claims: Claims,
    issuer: Issuer,
    request: DecisionRequest,
    policies: IndexedPolicies,
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
    policies: IndexedPolicies,
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
    if not available and _comes_to_nothing(allows, account, service, policy_set):
        return _deny(Reason.SCOPE_NOT_ALLOWED, allows)
    # 8 the time to live
    ttl = _ttl(request, allows, account, service, issuer, claims, now)
    sub = _sub(account, claims, issuer)
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


def _holding(index: PolicyIndex, issuer: Issuer, claims: Claims, now: float) -> list[Policy]:
    candidates = index.candidates(claims)
    if not candidates:
        return []
    holding = [each for each in candidates if policy_holds(each, issuer, claims, now)]
    holding.sort(key=_name)
    return holding


def policy_holds(policy: Policy, issuer: Issuer, claims: Claims, now: float) -> bool:
    """Tell whether a policy of this issuer holds for a token at an instant."""
    if policy.expires_at is not None and now >= policy.expires_at:
        return False
    if policy.effect is Effect.ALLOW and not guard_holds(policy, issuer, claims):
        return False
    return all_hold(policy.conditions, claims, policy.effect)


def guard_holds(policy: Policy, issuer: Issuer, claims: Claims) -> bool:
    """Tell whether an allow policy may hold for what started this pipeline.

    Events that outsiders can cause, unknown ones and none at all match only a policy that names
    the value literally (contract §4, attacks rows 89, 91, 105, 156-158).
    """
    if issuer.platform is None:
        return True
    event = text_of(claims.get(issuer.platform.event_claim))
    if event in issuer.platform.trusted_events:
        return True
    return event is not None and any(
        condition.claim == issuer.platform.event_claim and event in condition.named_literals()
        for condition in policy.conditions
    )


def visible_to_caller(policy: Policy, issuer: Issuer, claims: Claims) -> bool:
    """Tell whether a caller may learn of an allow policy: it names the caller's own tenant."""
    tenant = [each for each in policy.conditions if is_tenant_condition(each, issuer)]
    return bool(tenant) and all_hold(tenant, claims, Effect.ALLOW)


def granted(policy: Policy, policy_set: PolicySet) -> Grants:
    """Give what a policy grants: its own narrowing, else its account's grants.

    What the account does not hold counts in the choice of the target and of the account (attacks
    row 151); it makes no scope available.
    """
    if policy.grants is not None:
        return policy.grants
    account = policy_set.service_accounts.get(policy.service_account or "")
    return account.grants if account else {}


def _in_templates(policy: Policy, policy_set: PolicySet) -> Iterable[str]:
    """Name the claims that templates of the services which a policy reaches are filled in with."""
    platform = policy_set.issuers[policy.issuer].platform
    for service in granted(policy, policy_set):
        shape = policy_set.services[service].shape
        for name in shape.workload if shape else ():
            yield claim_of_job(name, platform)


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


def _comes_to_nothing(
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


def _sub(account: ServiceAccount, claims: Claims, issuer: Issuer) -> str | None:
    """Name the identity: the account, or one instance of it per claim value."""
    parts = [account.client_id]
    for claim in account.instances:
        text = text_of(claims.get(claim)) or ""
        if not is_instance_value(text):
            return None
        folded = issuer.platform is not None and claim in issuer.platform.folded
        parts += [claim, fold_ascii(text) if folded else text]
    sub = ":".join(parts)
    return sub if len(sub.encode()) <= MAX_SUB_BYTES else None


def is_instance_value(value: object) -> bool:
    """Tell whether a claim's value can name an instance of a service account."""
    return _INSTANCE_VALUE.fullmatch(text_of(value) or "") is not None


def is_instance(sub: str, claims: Sequence[str]) -> bool:
    """Tell whether an identity has the form of one of an account whose `instances` are `claims`."""
    _, *parts = sub.split(":")
    names, values = parts[::2], parts[1::2]
    of_claims = names == list(claims) and len(values) == len(names)
    return of_claims and all(map(is_instance_value, values))


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
