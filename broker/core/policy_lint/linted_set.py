"""What the lints look at: a policy set as written, and what each of its allow policies comes to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from broker.core.conditions import Condition, Effect
from broker.core.indexed_policies import granted
from broker.core.policy import Grants, Issuer, Mode, Policy, PolicySet, ServiceAccount

Path = tuple[str | int, ...]
"""Steps into the policy files, from the map on: `("policies", NAME, "match", CLAIM)`."""

Written = Mapping[str, Mapping[str, object]]
"""The entries of the files by map and name, as read from YAML and nothing made of them."""


@dataclass(frozen=True, slots=True)
class PlacedCondition:
    """A condition, and the path of its value: in a policy, or in the `require` above it."""

    condition: Condition
    path: Path


@dataclass(frozen=True, slots=True)
class AllowPolicy:
    """An allow policy with all that bears on it."""

    policy: Policy
    issuer: Issuer
    account: ServiceAccount | None
    stated: Grants
    """What the decision takes it to grant when it looks for target and account: as written."""

    grants: Grants
    """What it can really grant: within its account's grants, when a file defines the account."""

    conditions: tuple[PlacedCondition, ...]
    """Its own, then those of its issuer's `require`, then those that each of its services adds."""

    events: frozenset[str] | None
    """The events for which the guard and all conditions on the event hold; None without preset."""

    @property
    def match_path(self) -> Path:
        """The path of its `match`."""
        return ("policies", self.policy.name, "match")

    def own_path(self, placed: PlacedCondition) -> Path:
        """Give the path of a condition if it is the policy's own, else that of its `match`."""
        return placed.path if placed.path[0] == "policies" else self.match_path

    def on(self, *claims: str) -> Iterator[PlacedCondition]:
        """Yield the conditions on any of these claims, in the order of the policy."""
        return (placed for placed in self.conditions if placed.condition.claim in claims)

    def pins(self, *claims: str) -> bool:
        """Tell whether one of these claims is confined to literals."""
        return any(placed.condition.literals() is not None for placed in self.on(*claims))

    def demands_true(self, claim: str) -> bool:
        """Tell whether a claim must be `true`."""
        return any(placed.condition.literals() == ("true",) for placed in self.on(claim))


@dataclass(frozen=True, slots=True)
class LintedSet:
    """A policy set to be linted at an instant, `now`, in seconds since the epoch."""

    policy_set: PolicySet
    written: Written
    now: float
    allows: tuple[AllowPolicy, ...] = field(init=False, repr=False)
    """By name."""

    def __post_init__(self) -> None:
        """Work out what the allow policies come to, once for all lints."""
        policies = sorted(self.policy_set.policies.values(), key=lambda policy: policy.name)
        allows = tuple(
            _allow_policy(policy, self.policy_set)
            for policy in policies
            if policy.effect is Effect.ALLOW
        )
        object.__setattr__(self, "allows", allows)

    def counts(self, policy: Policy) -> bool:
        """Tell whether a policy takes part in decisions: enforced and not expired."""
        expired = policy.expires_at is not None and self.now >= policy.expires_at
        return policy.mode is Mode.ENFORCE and not expired


def _allow_policy(policy: Policy, policy_set: PolicySet) -> AllowPolicy:
    issuer = policy_set.issuers[policy.issuer]
    account = policy_set.service_accounts.get(policy.service_account or "")
    stated = granted(policy, policy_set)
    grants = _within_account(stated, policy, account)
    own = [
        PlacedCondition(each, _path("policies", policy.name, each)) for each in policy.conditions
    ]
    conditions = (
        *own,
        *_required_by_issuer(issuer),
        *_required_by_services(grants, issuer, policy_set),
    )
    return AllowPolicy(policy, issuer, account, stated, grants, conditions, _events(policy, issuer))


def _path(section: str, name: str, condition: Condition) -> Path:
    return (section, name, "match" if section == "policies" else "require", condition.claim)


def _within_account(stated: Grants, policy: Policy, account: ServiceAccount | None) -> Grants:
    if account is None or policy.grants is None:
        return stated
    return {
        service: scopes & account.grants[service]
        for service, scopes in stated.items()
        if service in account.grants
    }


def _required_by_issuer(issuer: Issuer) -> Iterator[PlacedCondition]:
    for condition in issuer.require:
        yield PlacedCondition(condition, _path("issuers", issuer.name, condition))


def _required_by_services(
    grants: Grants, issuer: Issuer, policy_set: PolicySet
) -> Iterator[PlacedCondition]:
    """Yield what every granted service requires, as the first of them writes it."""
    services = [policy_set.services[name] for name in sorted(grants)]
    for condition in services[0].minimum(issuer) if services else ():
        if all(condition in service.minimum(issuer) for service in services):
            yield PlacedCondition(condition, _path("services", services[0].name, condition))


def _events(policy: Policy, issuer: Issuer) -> frozenset[str] | None:
    platform = issuer.platform
    if platform is None:
        return None
    own = [each for each in policy.conditions if each.claim == platform.event_claim]
    required = [each for each in issuer.require if each.claim == platform.event_claim]
    named = {event for condition in own for event in condition.named_literals()}
    return frozenset(
        event
        for event in platform.trusted_events | named
        if all(condition.holds({platform.event_claim: event}) for condition in (*own, *required))
    )
