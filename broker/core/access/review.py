"""An access review: grants, when they were used, and which set of policies they are of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from broker.core.access.grant import AccessGrant, Way
from broker.core.access.uses import LiveSecrets, Uses
from broker.core.audit import rfc3339
from broker.core.condition_text import expected_by, operator_of
from broker.core.conditions import Condition


@dataclass(frozen=True, slots=True)
class Commit:
    """What git says of the policy files."""

    sha: str
    changed: bool
    """Whether the files differ from those of the commit."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """What a store says of grants."""

    since: str
    """From when on events were looked at, as RFC 3339 in UTC."""

    uses: Uses = field(repr=False)
    secrets: Mapping[str, LiveSecrets] = field(default_factory=dict)
    """By account; one without is not there."""

    def secrets_of(self, client_id: str) -> LiveSecrets:
        """Give what is known of the secrets of an account."""
        return self.secrets.get(client_id, LiveSecrets())


@dataclass(frozen=True, slots=True)
class AccessReview:
    """Grants of one policy set, in their order, and what is known of them."""

    grants: Sequence[AccessGrant]
    as_of: float
    """Seconds since the epoch."""

    policy_set: str
    """The version of the set: its SHA-256."""

    commit: Commit | None = None
    look_up: LookUp | None = None
    """None when no store was asked."""

    def of(self, wanted: Callable[[AccessGrant], bool]) -> "AccessReview":
        """Give the same with some of the grants."""
        return replace(self, grants=tuple(filter(wanted, self.grants)))

    def about(self) -> dict[str, Any]:
        """Give as JSON members what is the same for all grants."""
        commit, look_up = self.commit, self.look_up
        git = {} if commit is None else {"commit": commit.sha, "files_changed": commit.changed}
        return {
            "as_of": rfc3339(self.as_of),
            "policy_set": self.policy_set,
            **git,
            "events_since": None if look_up is None else look_up.since,
        }

    def as_json(self) -> dict[str, Any]:
        """Give the review as JSON members."""
        return {**self.about(), "items": [self.members(each) for each in self.grants]}

    def members(self, grant: AccessGrant) -> dict[str, Any]:
        """Give one grant as JSON members."""
        policy = grant.policy
        owner, account_owner = grant.owners
        return {
            "service": grant.service.name,
            "scope": grant.scope,
            "service_account": grant.service_account,
            "way": grant.way.value,
            "policy": None if policy is None else policy.name,
            "marks": [each.value for each in grant.marks],
            "issuer": None if policy is None else policy.issuer,
            "tenant": [_condition(each) for each in grant.tenant],
            "conditions": [_condition(each) for each in grant.conditions],
            "required": [_condition(each) for each in grant.required],
            "outside_events": list(grant.outside_events),
            "denied_by": list(grant.denied_by),
            "owner": owner,
            "account_owner": account_owner,
            "organization": grant.organization,
            "managed_by": grant.managed_by,
            "ticket": None if policy is None else policy.ticket,
            "expires": _moment(None if policy is None else policy.expires_at),
            "account_expires": _moment(grant.account_expires_at),
            "description": grant.description,
            "place": policy.place or None if policy is not None else None,
            "credentials": self._credentials(grant),
            "used": self._used(grant),
        }

    def _credentials(self, grant: AccessGrant) -> dict[str, Any] | None:
        if grant.way is not Way.CLIENT_CREDENTIALS:
            return None
        known = {"registered_keys": grant.registered_keys, "looked_up": self.look_up is not None}
        if self.look_up is None:
            return known
        secrets = self.look_up.secrets_of(grant.service_account)
        used = _moment(secrets.last_used_at)
        return {**known, "live_secrets": secrets.count, "secret_last_used_at": used}

    def _used(self, grant: AccessGrant) -> dict[str, Any]:
        if self.look_up is None:
            return {"looked_up": False}
        use = self.look_up.uses.of(grant)
        return {
            "looked_up": True,
            "last_used_at": None if use is None else use.last,
            "tokens": 0 if use is None else use.tokens,
        }


def _condition(condition: Condition) -> dict[str, object]:
    operator = operator_of(condition.matcher)
    return {
        "claim": condition.claim,
        "operator": operator.value,
        "expected": expected_by(operator, condition.matcher),
    }


def _moment(instant: float | None) -> str | None:
    return None if instant is None else rfc3339(instant)
