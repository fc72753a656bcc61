"""A client of the broker: an account that has shown a secret or key of its own, and what it gets.

Nothing here looks at anything but its arguments: the account and the secret as they were found, the
policy set for its catalogue, the instant.
"""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network

from broker.core.blocks import Blocks
from broker.core.client_assertion import ClientAssertion
from broker.core.decision import Decision, DecisionRequest, Deny, Permit, blocked, with_claims
from broker.core.errors import Reason
from broker.core.managed_account import (
    FILE_INCARNATION,
    AccountOverride,
    ClientSecret,
    ManagedAccount,
)
from broker.core.policy import PolicySet, ServiceAccount
from broker.core.record import record
from broker.core.refusal_text import template_text
from broker.core.shaped_claims import NO_JOB


@record
class Client:
    """An account that was authenticated, as decisions know it: by a secret, or by an assertion."""

    account: ServiceAccount
    secret_id: str | None = None
    key_id: str | None = None
    """Of the registered key that signed the assertion."""

    assertion: ClientAssertion | None = None

    @property
    def credential(self) -> str:
        """Name what it was authenticated with, for the audit."""
        return f"secret {self.secret_id}" if self.key_id is None else f"key {self.key_id}"


@record
class LiveAccount:
    """An account that may show credentials of its own here and now, and its incarnation."""

    account: ServiceAccount
    incarnation: str

    @property
    def of_file(self) -> bool:
        """Whether a policy file defines it."""
        return self.incarnation == FILE_INCARNATION


def client_of(
    secret: ClientSecret | None,
    client_id: str,
    managed: ManagedAccount | None,
    override: AccountOverride | None,
    policy_set: PolicySet,
    address: str | None,
    now: float,
) -> Client | None:
    """Give the client that a secret proves, None when it proves none here and now.

    `client_id` is the id that was claimed, `managed` and `override` are what the store has of that
    id, `address` is where the request came from. An unknown id, a wrong secret, a disabled account
    and one whose secrets are forbidden are all the same (CA-11): None.
    """
    if secret is None or secret.client_id != client_id or not secret.holds(now):
        return None
    live = live_account(client_id, managed, override, policy_set, address, now)
    if live is None or live.incarnation != secret.incarnation:
        return None
    return Client(live.account, secret.secret_id)


def live_account(
    client_id: str,
    managed: ManagedAccount | None,
    override: AccountOverride | None,
    policy_set: PolicySet,
    address: str | None,
    now: float,
) -> LiveAccount | None:
    """Give the account of an id if it may show credentials of its own; else None.

    What the arguments are, `client_of` says.
    """
    in_files = policy_set.service_accounts.get(client_id)
    if in_files is not None:
        switched_off = override is not None and not override.enabled
        live = in_files.enabled and in_files.secrets_allowed and not switched_off
        return LiveAccount(in_files, FILE_INCARNATION) if live else None
    if managed is None or not managed.secrets_allowed or not _may_call(managed, address, now):
        return None
    return LiveAccount(managed.resolved(policy_set), managed.incarnation)


def account_of(
    client_id: str,
    managed: ManagedAccount | None,
    override: AccountOverride | None,
    policy_set: PolicySet,
    address: str | None,
    now: float,
    *,
    issued_at: int,
) -> ServiceAccount | None:
    """Give the account of an id that may do something here and now; None when there is none.

    For whoever shows a token of the broker's own, of which `issued_at` is the whole second; what
    the other arguments are, `client_of` says.
    """
    if client_id not in policy_set.service_accounts and managed is not None:
        networks = managed.allowed_networks
        if networks and not is_within(address, networks):
            return None
    return account_of_token(client_id, managed, override, policy_set, now, issued_at=issued_at)


def account_of_token(
    client_id: str,
    managed: ManagedAccount | None,
    override: AccountOverride | None,
    policy_set: PolicySet,
    now: float,
    *,
    issued_at: int,
) -> ServiceAccount | None:
    """Give the account that a token still stands for, wherever it is shown; else None.

    What the arguments are, `account_of` says.
    """
    in_files = policy_set.service_accounts.get(client_id)
    if in_files is not None:
        switched_off = override is not None and not override.enabled
        return in_files if in_files.enabled and not switched_off else None
    if managed is None or not managed.live(now):
        return None
    if issued_at < int(managed.created_at):
        # Of a namesake that a file once defined: another incarnation (attacks row 144).
        return None
    return managed.resolved(policy_set)


def _may_call(managed: ManagedAccount, address: str | None, now: float) -> bool:
    networks = managed.allowed_networks
    return managed.live(now) and (not networks or is_within(address, networks))


def is_within(address: str | None, networks: Sequence[str]) -> bool:
    """Tell whether an address lies in one of some networks; an unknown one lies in none."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in ip_network(each) for each in networks)


def decide(
    account: ServiceAccount,
    request: DecisionRequest,
    policy_set: PolicySet,
    blocks: Blocks,
    now: float,
) -> Decision:
    """Decide what a client gets: a part of what its account is granted, never more.

    Policies say who may act as an account by a CI token; they have no say here. `now` is in seconds
    since the epoch.
    """
    # 1 blocks
    if blocks and (block := blocks.of_account((account.client_id,), now)):
        return blocked(block)
    if account.instances:
        # One identity for each value of a claim, and a secret has no claims.
        return _deny(Reason.GRANT_NOT_ALLOWED)
    # 4 the target
    if not request.targets:
        if len(account.grants) != 1:
            return _deny(Reason.TARGET_REQUIRED)
        # The account may have been found by the set before, as its keys are fetched meanwhile.
        only = policy_set.services.get(next(iter(account.grants)))
        if only is None:
            return _deny(Reason.TARGET_UNKNOWN)
        service = only
    else:
        named = {each.name: each for each in map(policy_set.service, request.targets) if each}
        if len(named) != 1 or None in map(policy_set.service, request.targets):
            return _deny(Reason.TARGET_UNKNOWN)
        [service] = named.values()
        if service.name not in account.grants:
            return _deny(Reason.TARGET_UNKNOWN)
    # 7 the scopes
    available = account.grants[service.name] & service.scopes.keys()
    asked = available if request.scopes is None else frozenset(request.scopes)
    if not asked <= available:
        return _deny(Reason.SCOPE_NOT_ALLOWED, " ".join(sorted(asked - available)))
    # 8 the time to live
    wanted = request.expires_in or account.ttl or service.ttl
    cap = service.max_ttl if account.max_ttl is None else min(service.max_ttl, account.max_ttl)
    permit = Permit(
        service, account, account.client_id, tuple(sorted(asked)), min(wanted, cap), policies=()
    )
    if service.shape is None:
        return permit
    if service.shape.workload:
        # What only a job has, and a client has no job.
        return _deny(Reason.GRANT_NOT_ALLOWED, service.name)
    return with_claims(permit, service.shape, NO_JOB)


def describe(deny: Deny, request: DecisionRequest, account: ServiceAccount) -> str:
    """Say why a client is refused; it may know all that its own account is granted."""
    match deny.reason:
        case Reason.BLOCKED:
            return f"this account is blocked for now ({deny.detail}): ask whoever runs the broker"
        case Reason.GRANT_NOT_ALLOWED if deny.detail:
            return (
                f"tokens of service '{deny.detail}' name the job that they are for: only a CI token"
                " buys one, by token exchange"
            )
        case Reason.CLAIM_INVALID if deny.template:
            return template_text(deny.template)
        case Reason.GRANT_NOT_ALLOWED:
            claims = ", ".join(account.instances)
            return f"this account has one identity per {claims}: only CI tokens have these claims"
        case Reason.TARGET_REQUIRED:
            return (
                f"name the service wanted in 'audience'; this account has {_names(account.grants)}"
            )
        case Reason.TARGET_UNKNOWN:
            asked = _names(request.targets)
            return f"{asked} is not one service of this account, which has {_names(account.grants)}"
        case _:
            return (
                f"scope '{deny.detail}' is not granted to this account at this service; see its"
                " `grants`, or leave 'scope' out for all that it has"
            )


def _names(names: Iterable[str]) -> str:
    listed = ", ".join(f"'{name}'" for name in sorted(names))
    return listed or "none"


def _deny(reason: Reason, detail: str = "") -> Deny:
    return Deny(reason, reason, (), (), detail)
