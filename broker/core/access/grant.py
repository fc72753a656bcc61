"""One way to one scope: what an account may do at a service, and who may act as the account."""

from dataclasses import dataclass, field
from enum import StrEnum

from broker.core.conditions import Condition
from broker.core.platforms import Platform
from broker.core.policy import Issuer, Policy, Service, ServiceAccount
from broker.core.record import record
from broker.core.tenant_floor import is_tenant_condition


class Way(StrEnum):
    """How somebody comes to act as a service account."""

    POLICY = "policy"
    """A CI job whose token a policy holds for."""

    CLIENT_CREDENTIALS = "client_credentials"
    """A client secret or a registered key of the account: no policy has a say."""


class Mark(StrEnum):
    """Why a grant gives nothing now, or that this is not known."""

    OBSERVED = "observed"
    """The policy is evaluated and recorded only."""

    EXPIRED = "expired"
    """The policy is over."""

    ISSUER_DISABLED = "issuer_disabled"
    ACCOUNT_DISABLED = "account_disabled"
    """It is switched off, or over."""

    BLOCKED = "blocked"
    """A block stops all of it, whatever a job claims."""

    ACCOUNT_MISSING = "account_missing"
    """Neither the files nor the store have it."""

    ACCOUNT_NOT_LOOKED_UP = "account_not_looked_up"
    """The files do not have it, and the store was not asked."""


@record
class UseKey:
    """What audit events tell of one grant."""

    service: str
    scope: str | None
    """None is a token without scopes."""

    service_account: str
    policy: str | None
    """None is a client secret or a registered key."""


@dataclass(frozen=True, slots=True)
class AccessGrant:
    """One scope of one service, for one account, by one policy or by credentials of its own."""

    service: Service
    scope: str | None
    """None is a token without scopes, for a service that is granted as `[]`."""

    service_account: str
    account: ServiceAccount | None = field(repr=False)
    """None when neither the files nor, as far as it was asked, the store have it."""

    policy: Policy | None = None
    """None for client credentials."""

    issuer: Issuer | None = None
    """That of the policy."""

    marks: tuple[Mark, ...] = ()
    denied_by: tuple[str, ...] = ()
    """The deny policies in force that may hold for the same tokens, by name."""

    managed_by: str | None = None
    """`file` or `api`; None for an account that is missing."""

    account_expires_at: float | None = None
    """From when on the account does nothing more, in seconds since the epoch."""

    @property
    def way(self) -> Way:
        """How one comes to it."""
        return Way.CLIENT_CREDENTIALS if self.policy is None else Way.POLICY

    @property
    def key(self) -> UseKey:
        """What audit events name it by."""
        policy = None if self.policy is None else self.policy.name
        return UseKey(self.service.name, self.scope, self.service_account, policy)

    @property
    def order(self) -> tuple[str, str, str, str]:
        """Where it stands among others; credentials before policies."""
        policy = "" if self.policy is None else self.policy.name
        return self.service.name, self.scope or "", self.service_account, policy

    @property
    def owners(self) -> tuple[str | None, str | None]:
        """The owner that the policy names, and the account's."""
        return (
            None if self.policy is None else self.policy.owner,
            None if self.account is None else self.account.owner,
        )

    @property
    def organization(self) -> str | None:
        """The organization of the account."""
        return None if self.account is None else self.account.organization

    @property
    def description(self) -> str | None:
        """What the policy is for; else what the account is for."""
        own = "" if self.policy is None else self.policy.description
        return own or ("" if self.account is None else self.account.description) or None

    @property
    def tenant(self) -> tuple[Condition, ...]:
        """What confines the policy to named tenants, the issuer's own minimum included."""
        if self.policy is None or self.issuer is None:
            return ()
        every = (*self.policy.conditions, *self.issuer.require)
        return tuple(each for each in every if is_tenant_condition(each, self.issuer))

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What else the policy asks of a token."""
        if self.policy is None or self.issuer is None:
            return ()
        issuer = self.issuer
        return tuple(
            each for each in self.policy.conditions if not is_tenant_condition(each, issuer)
        )

    @property
    def required(self) -> tuple[Condition, ...]:
        """What issuer and service ask of every token beside that."""
        if self.policy is None or self.issuer is None:
            return ()
        issuer = self.issuer
        own = tuple(each for each in issuer.require if not is_tenant_condition(each, issuer))
        return own + self.service.minimum(issuer)

    @property
    def outside_events(self) -> tuple[str, ...]:
        """The events that outsiders may cause, and that the policy names all the same."""
        platform = None if self.issuer is None else self.issuer.platform
        if self.policy is None or platform is None:
            return ()
        named = events_named(self.policy, platform)
        return tuple(sorted(named - platform.trusted_events))

    @property
    def registered_keys(self) -> bool:
        """Whether a key is registered for the account (RFC 7523), which clients may show."""
        account = self.account
        return account is not None and (account.jwks is not None or account.jwks_uri is not None)


def events_named(policy: Policy, platform: Platform) -> frozenset[str]:
    """Give the events that a policy names literally."""
    return frozenset(
        text
        for each in policy.conditions
        if each.claim == platform.event_claim
        for text in each.named_literals()
    )
