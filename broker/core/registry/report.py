"""Which client secrets could go: never used, old, or of accounts that come without one already."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.core.conditions import Effect
from broker.core.managed_account import ClientSecret
from broker.core.policy import Mode, PolicySet
from broker.core.registry.registered import RegisteredAccount, moment
from broker.core.registry.secret_planning import age_warning


@dataclass(frozen=True, slots=True)
class AccountSecrets:
    """An account with its living secrets, and when each was last used."""

    account: RegisteredAccount
    secrets: Sequence[ClientSecret]
    last_uses: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TokensIssued:
    """How many tokens were issued: in all, without a stored secret, and so by account."""

    total: int = 0
    without_secret: int = 0
    federated: Mapping[str, int] | None = None

    @property
    def share(self) -> float | None:
        """How many of them needed no stored secret, from 0 to 1; None when there are none."""
        return self.without_secret / self.total if self.total else None


def federated_policies(client_id: str, policy_set: PolicySet, now: float) -> tuple[str, ...]:
    """Name the policies in force by which CI jobs act as an account."""
    return tuple(
        policy.name
        for policy in policy_set.policies.values()
        if policy.service_account == client_id
        and policy.effect is Effect.ALLOW
        and policy.mode is Mode.ENFORCE
        and (policy.expires_at is None or now < policy.expires_at)
        and policy_set.issuers[policy.issuer].enabled
    )


def secrets_report(
    accounts: Iterable[AccountSecrets], tokens: TokensIssued, policy_set: PolicySet, now: float
) -> dict[str, Any]:
    """Give the report as JSON members: the secrets that something is to be said of, and a sum."""
    items = [
        item
        for each in accounts
        for secret in each.secrets
        if (item := _item(each, secret, tokens, policy_set, now))["findings"]
    ]
    return {
        "items": items,
        "tokens": {
            "total": tokens.total,
            "without_stored_secret": tokens.without_secret,
            "share": None if tokens.share is None else round(tokens.share, 4),
        },
    }


def _item(
    each: AccountSecrets,
    secret: ClientSecret,
    tokens: TokensIssued,
    policy_set: PolicySet,
    now: float,
) -> dict[str, Any]:
    client_id = each.account.client_id
    used = each.last_uses.get(secret.secret_id)
    policies = federated_policies(client_id, policy_set, now)
    federated = (tokens.federated or {}).get(client_id, 0)
    findings = []
    if used is None:
        findings.append("never_used")
    warning = age_warning(secret, now)
    if warning is not None:
        findings.append(warning)
    # A policy works when jobs have got tokens by it.
    if policies and federated:
        findings.append("replaceable")
    return {
        "client_id": client_id,
        "secret_id": secret.secret_id,
        "created_at": moment(secret.created_at),
        "age_days": int(max(now - secret.created_at, 0) // 86_400),
        "last_used_at": moment(used),
        "findings": findings,
        "federated_policies": list(policies),
        "federated_tokens": federated,
    }
