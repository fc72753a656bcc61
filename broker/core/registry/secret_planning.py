"""Client secrets: made, rotated with an overlap, and ended.

Several may be alive. A rotation makes a second secret for one that is alive, which goes on until
the overlap is over, until the rotation is completed, or as before when it is cancelled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from broker.core.managed_account import MANAGED_BY_FILE, ClientSecret, ManagedAccount
from broker.core.policy import PolicySet
from broker.core.registry import members as read
from broker.core.registry.authority import Authority, check_not_stronger
from broker.core.registry.plan import NewSecret, Plan, Record
from broker.core.registry.refused import ChangeRefused, conflict, invalid, not_found
from broker.core.registry.registered import AccountEntry, RegisteredAccount, moment

MAX_SECRETS: Final = 10
"""How many secrets of one account may be alive."""

MAX_OVERLAP: Final = 30 * 86_400
DEFAULT_OVERLAP: Final = 86_400

_DAY: Final = 86_400
_NO_SUCH_SECRET: Final = (
    "the account has no such secret; the list of its secrets has the ids of those that are alive"
)
OLD_AFTER: Final = 60 * _DAY
OVERDUE_AFTER: Final = 90 * _DAY


def age_warning(secret: ClientSecret, now: float) -> str | None:
    """Say whether a secret is `old` (from its 60th day) or `overdue` (from its 90th)."""
    age = now - secret.created_at
    if age >= OVERDUE_AFTER:
        return "overdue"
    return "old" if age >= OLD_AFTER else None


def secret_members(secret: ClientSecret, last_used_at: float | None, now: float) -> dict[str, Any]:
    """Give what is shown of a secret as JSON members: never itself."""
    return {
        "id": secret.secret_id,
        "client_id": secret.client_id,
        "created_at": moment(secret.created_at),
        "expires_at": moment(secret.expires_at),
        "last_used_at": moment(last_used_at),
        "age_days": int(max(now - secret.created_at, 0) // _DAY),
        "warning": age_warning(secret, now),
        "replaces": secret.replaces,
    }


def living(
    secrets: Sequence[ClientSecret], account: RegisteredAccount, now: float
) -> list[ClientSecret]:
    """Give the secrets that the account may use: of this incarnation, and not over."""
    return [each for each in secrets if each.incarnation == account.incarnation and each.holds(now)]


def first_secret(account: ManagedAccount, new: NewSecret, now: float) -> Plan:
    """Plan the secret that an account is made with."""
    secret = ClientSecret(new.secret_id, account.client_id, account.incarnation, new.digest, now)
    return Plan(secrets=(secret,), records=(_record("secret.created", secret),))


@dataclass(frozen=True, slots=True)
class SecretPlanning:
    """What may become of the secrets of one account, for one caller, at one instant.

    All methods raise `ChangeRefused`.
    """

    rows: AccountEntry
    authority: Authority
    policy_set: PolicySet
    now: float

    def shown(self) -> tuple[RegisteredAccount, list[ClientSecret]]:
        """Give the account and its living secrets, for a caller that only looks."""
        account = self.rows.found(self.authority, self.policy_set)
        return account, living(self.rows.secrets, account, self.now)

    def creation(self, members: Mapping[str, Any], new: NewSecret) -> Plan:
        """Plan one more secret."""
        _refuse_others(members, {"expires_at"})
        account, alive = self._changeable(credential=True)
        if len(alive) >= MAX_SECRETS:
            raise conflict(f"the account has {MAX_SECRETS} secrets already; revoke one first")
        expires_at = read.instant("expires_at", members.get("expires_at"), self.now)
        secret = _secret(account, new, self.now, expires_at)
        return Plan(secrets=(secret,), records=(_record("secret.created", secret),))

    def revocation(self, secret_id: str) -> Plan:
        """Plan that a secret holds no longer. The one that it was to replace goes on as before."""
        _, alive = self._changeable(credential=False)
        secret = _named(alive, secret_id)
        if secret is None:
            raise not_found(_NO_SUCH_SECRET)
        restored = _restored(alive, secret)
        return Plan(
            secrets=restored,
            removed_secrets=(secret.secret_id,),
            records=(_record("secret.revoked", secret),),
        )

    def rotation(self, members: Mapping[str, Any], new: NewSecret) -> Plan:
        """Plan a second secret for one, which ends with the overlap."""
        _refuse_others(members, {"overlap", "secret_id", "expires_at"})
        account, alive = self._changeable(credential=True)
        overlap = read.duration(
            "overlap", members.get("overlap", DEFAULT_OVERLAP), minimum=0, maximum=MAX_OVERLAP
        )
        expires_at = read.instant("expires_at", members.get("expires_at"), self.now)
        if _open_rotation(alive) is not None:
            raise conflict("a rotation is going on; complete or cancel it first")
        old = _to_be_replaced(alive, members.get("secret_id"))
        if len(alive) >= MAX_SECRETS:
            raise conflict(f"the account has {MAX_SECRETS} secrets already; revoke one first")
        ends = self.now + overlap
        if old.expires_at is not None:
            ends = min(ends, old.expires_at)
        secret = replace(
            _secret(account, new, self.now, expires_at),
            replaces=old.secret_id,
            replaced_until=old.expires_at,
        )
        ending = replace(old, expires_at=ends)
        record = _record("secret.rotated", secret, {"replaced_ends_at": moment(ends)})
        return Plan(secrets=(ending, secret), records=(record,))

    def completion(self) -> Plan:
        """Plan that the secret that is replaced ends now."""
        new, old = self._rotation()
        done = replace(new, replaces=None, replaced_until=None)
        record = Record("secret.completed", new.client_id, new.secret_id, {"ended": old.secret_id})
        return Plan(secrets=(done,), removed_secrets=(old.secret_id,), records=(record,))

    def cancellation(self) -> Plan:
        """Plan that the new secret is dropped; the other goes on as it would have."""
        new, old = self._rotation()
        record = Record(
            "secret.cancelled", new.client_id, new.secret_id, {"continued": old.secret_id}
        )
        return Plan(
            secrets=(replace(old, expires_at=new.replaced_until),),
            removed_secrets=(new.secret_id,),
            records=(record,),
        )

    def _rotation(self) -> tuple[ClientSecret, ClientSecret]:
        _, alive = self._changeable(credential=False)
        rotation = _open_rotation(alive)
        if rotation is None:
            raise conflict("no rotation is going on; `rotate` begins one")
        return rotation

    def _changeable(self, *, credential: bool) -> tuple[RegisteredAccount, list[ClientSecret]]:
        """Give the account and its living secrets; `credential` says that one shall be made."""
        account, alive = self.shown()
        check_not_stronger(self.authority, account.client_id, account.scopes, self.policy_set)
        if credential and not account.secrets_allowed:
            raise _secrets_forbidden(account)
        return account, alive


def _secret(
    account: RegisteredAccount, new: NewSecret, now: float, expires_at: float | None
) -> ClientSecret:
    return ClientSecret(
        new.secret_id, account.client_id, account.incarnation, new.digest, now, expires_at
    )


def _named(alive: Sequence[ClientSecret], secret_id: object) -> ClientSecret | None:
    return next((each for each in alive if each.secret_id == secret_id), None)


def _to_be_replaced(alive: Sequence[ClientSecret], secret_id: object) -> ClientSecret:
    if not alive:
        raise conflict("the account has no secret that could be rotated; create one")
    if secret_id is None:
        if len(alive) > 1:
            raise invalid("secret_id", "several secrets are alive: say by its id which is replaced")
        return alive[0]
    named = _named(alive, secret_id)
    if named is None:
        raise invalid("secret_id", _NO_SUCH_SECRET)
    return named


def _open_rotation(alive: Sequence[ClientSecret]) -> tuple[ClientSecret, ClientSecret] | None:
    """Find the new and the old secret of the rotation that goes on: while both are alive."""
    for new in alive:
        old = _named(alive, new.replaces)
        if old is not None:
            return new, old
    return None


def _restored(alive: Sequence[ClientSecret], revoked: ClientSecret) -> tuple[ClientSecret, ...]:
    old = _named(alive, revoked.replaces)
    return () if old is None else (replace(old, expires_at=revoked.replaced_until),)


def _record(kind: str, secret: ClientSecret, more: Mapping[str, Any] | None = None) -> Record:
    facts = {"expires_at": moment(secret.expires_at), "replaces": secret.replaces}
    changes = {name: value for name, value in facts.items() if value is not None}
    return Record(kind, secret.client_id, secret.secret_id, changes | dict(more or {}))


def _refuse_others(members: Mapping[str, Any], allowed: set[str]) -> None:
    for name in members:
        if name not in allowed:
            raise invalid(name, f"is no member here; there may be {', '.join(sorted(allowed))}")


def _secrets_forbidden(account: RegisteredAccount) -> ChangeRefused:
    in_file = account.managed_by == MANAGED_BY_FILE
    how = "write `secrets: allowed` in its policy file" if in_file else "set `secrets_allowed`"
    return conflict(f"the account may have no secrets; {how} if it shall")
