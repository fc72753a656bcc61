"""Creating, changing and deleting service accounts: planned whole, or refused whole."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from broker.core.managed_account import AccountOverride, ManagedAccount
from broker.core.policy import ServiceAccount
from broker.core.registry import members as read
from broker.core.registry.authority import Authority, check_grants, check_not_stronger
from broker.core.registry.members import Reading
from broker.core.registry.plan import NewSecret, Plan, Record
from broker.core.registry.refused import ChangeRefused, Code, beyond, conflict, invalid
from broker.core.registry.registered import AccountEntry, RegisteredAccount, of_file, of_row
from broker.core.registry.secret_planning import first_secret

_ONLY_AT_CREATION: Final = frozenset({
    "client_id", "organization", "services", "scopes", "permissions",
})  # fmt: skip
_READ_ONLY: Final = frozenset({
    "id", "client_id", "organization", "managed_by", "created_at", "updated_at", "last_used_at",
})  # fmt: skip
_MERGED: Final = frozenset({"grants", "metadata"})


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn for a new account; `secret` is None when it shall have none yet."""

    client_id: str
    incarnation: str
    secret: NewSecret | None


@dataclass(frozen=True, slots=True)
class NewAccountRequest:
    """A request for a new account, as far as it decides which rows have to be read."""

    client_id: str | None
    """The id that was chosen; None lets it be generated."""

    organization: str | None
    members: Mapping[str, Any]


def read_request(
    authority: Authority, members: Mapping[str, Any], reading: Reading
) -> NewAccountRequest:
    """Find out which account is asked for. Raises `ChangeRefused`."""
    for name in members:
        if name not in _ONLY_AT_CREATION and not read.is_member(name):
            raise invalid(name, "is no member that a new account can be given")
    chosen = members.get("client_id")
    if chosen is not None:
        if authority.organization is not None:
            # Nobody takes an id that another organization or a file will want (attacks row 144).
            raise beyond("client_id", "ids within an organization are generated; leave it out")
        chosen = read.client_id(chosen)
    organization = members.get("organization", authority.organization)
    if not authority.sees(organization):
        raise beyond("organization", "is not yours")
    known = reading.policy_set.organizations
    others = (None, authority.organization)
    if organization not in others and organization not in list(known):
        text = "there is no such organization among the `organizations` of the policy files"
        raise invalid("organization", text)
    return NewAccountRequest(chosen, organization, members)


def plan_creation(
    request: NewAccountRequest,
    authority: Authority,
    rows: AccountEntry,
    count: int,
    drawn: Drawn,
    reading: Reading,
) -> Plan:
    """Plan a new account: `rows` of its id, `count` of its organization. Raises `ChangeRefused`."""
    account = _new_account(request, drawn, reading)
    check_grants(authority, account.grants, account.organization, reading.policy_set)
    if rows.row is not None or rows.in_files is not None:
        raise conflict("is taken, or was; an id is never given to another account", "client_id")
    limit = reading.rules.max_accounts
    if count >= limit:
        whose = f"of '{request.organization}'" if request.organization else "without organization"
        text = (
            f"there may be {limit} accounts {whose} (`max_accounts`), and there are: delete one, or"
            " raise it"
        )
        raise ChangeRefused(Code.ACCOUNT_LIMIT, text)
    plan = Plan(
        accounts=(account,),
        new_ids=frozenset({account.client_id}),
        records=(_record("account.created", account.client_id, _facts(account, reading)),),
    )
    if drawn.secret is None or not account.secrets_allowed:
        return plan
    return plan.together_with(first_secret(account, drawn.secret, reading.now))


def plan_patch(
    rows: AccountEntry, patch: Mapping[str, Any], authority: Authority, reading: Reading
) -> Plan:
    """Plan a merge patch (RFC 7396); an empty plan when it changes nothing.

    Raises `ChangeRefused`.
    """
    before = rows.found(authority, reading.policy_set)
    for name in patch:
        if name in _READ_ONLY:
            raise invalid(name, "cannot be changed")
        if not read.is_member(name):
            raise invalid(name, "is no member of a service account that can be changed")
    check_not_stronger(authority, before.client_id, before.scopes, reading.policy_set)
    if rows.in_files is not None:
        return _plan_override(rows.in_files, before, patch, reading)
    assert rows.row is not None  # noqa: S101 - `found` gave it
    after = _patched(rows.row, patch, reading)
    # What it was granted before is not given now, and stands in nobody's way: an account is
    # switched off also when a service has closed itself to it since.
    given = {
        name: scopes for name, scopes in after.grants.items() if rows.row.grants.get(name) != scopes
    }
    check_grants(authority, given, after.organization, reading.policy_set)
    changes = _differing(before, of_row(after, reading.policy_set))
    if not changes:
        return Plan()
    after = replace(after, updated_at=reading.now)
    return Plan(accounts=(after,), records=_records_of(after.client_id, after.enabled, changes))


def plan_deletion(rows: AccountEntry, authority: Authority, reading: Reading) -> Plan:
    """Plan that an account and its secrets are over; its row stays. Raises `ChangeRefused`."""
    before = rows.found(authority, reading.policy_set)
    check_not_stronger(authority, before.client_id, before.scopes, reading.policy_set)
    if rows.in_files is not None:
        raise _managed_by_file()
    assert rows.row is not None  # noqa: S101 - `found` gave it
    ended = tuple(each.secret_id for each in rows.secrets)
    over = replace(rows.row, deleted_at=reading.now, updated_at=reading.now)
    record = _record("account.deleted", over.client_id, {"revoked_secrets": list(ended)})
    return Plan(accounts=(over,), removed_secrets=ended, records=(record,))


def _new_account(request: NewAccountRequest, drawn: Drawn, reading: Reading) -> ManagedAccount:
    members = dict(request.members)
    if "name" not in members:
        raise invalid("name", "is missing; say what people call the account")
    grants = _asked_grants(members, reading)
    fields = {
        name: reading.member(name, value)
        for name, value in members.items()
        if name not in _ONLY_AT_CREATION and name != "grants"
    }
    account = ManagedAccount(
        client_id=request.client_id or drawn.client_id,
        incarnation=drawn.incarnation,
        organization=request.organization,
        grants=grants,
        created_at=reading.now,
        updated_at=reading.now,
        **fields,
    )
    _check_keys(account)
    return account


def _asked_grants(members: Mapping[str, Any], reading: Reading) -> Mapping[str, tuple[str, ...]]:
    shortcut = [name for name in ("services", "scopes", "permissions") if name in members]
    if not shortcut:
        grants: dict[str, tuple[str, ...]] = reading.member("grants", members.get("grants"))
        return grants
    if "grants" in members:
        raise invalid(shortcut[0], "says the same as `grants`; send one of them")
    if "scopes" in members and "permissions" in members:
        raise invalid("permissions", "is another name of `scopes`; send one of them")
    if "services" not in members:
        raise invalid("services", "is missing: say in which services the scopes are granted")
    named = "permissions" if "permissions" in members else "scopes"
    return read.shortcut(members["services"], members.get(named, []), named, reading)


def _patched(row: ManagedAccount, patch: Mapping[str, Any], reading: Reading) -> ManagedAccount:
    fields: dict[str, Any] = {}
    for name, value in patch.items():
        if name in _MERGED and isinstance(value, dict):
            # Only what the patch names is read: what is gone from the catalogue may stay.
            named = {key: each for key, each in value.items() if each is not None}
            kept = {key: each for key, each in getattr(row, name).items() if key not in value}
            fields[name] = kept | reading.member(name, named)
        else:
            fields[name] = reading.member(name, value)
    if "metadata" in fields:
        # As a whole it may be too large, though its parts are not.
        reading.member("metadata", fields["metadata"])
    after = replace(row, **fields)
    _check_keys(after)
    return after


def _check_keys(account: ManagedAccount) -> None:
    if account.jwks is not None and account.jwks_uri is not None:
        raise invalid("jwks_uri", "stands for `jwks`; send one of them")
    if not account.secrets_allowed and (account.jwks or account.jwks_uri):
        name = "jwks" if account.jwks else "jwks_uri"
        raise invalid(name, "registered keys need `secrets_allowed`")


def _plan_override(
    in_files: ServiceAccount, before: RegisteredAccount, patch: Mapping[str, Any], reading: Reading
) -> Plan:
    if patch.keys() - {"enabled"}:
        raise _managed_by_file()
    if not patch:
        return Plan()
    enabled = bool(reading.member("enabled", patch["enabled"]))
    if enabled and not in_files.enabled:
        raise conflict("the policy file says `enabled: false`; change it there", "enabled")
    override = AccountOverride(in_files.client_id, enabled, reading.now)
    changes = _differing(before, of_file(in_files, override))
    if not changes:
        return Plan()
    return Plan(overrides=(override,), records=_records_of(in_files.client_id, enabled, changes))


def _records_of(client_id: str, enabled: bool, changes: Mapping[str, Any]) -> tuple[Record, ...]:  # noqa: FBT001 - as the member is
    records = []
    others = {name: change for name, change in changes.items() if name != "enabled"}
    if others:
        records.append(_record("account.updated", client_id, others))
    if "enabled" in changes:
        kind = "account.enabled" if enabled else "account.disabled"
        records.append(_record(kind, client_id, {"enabled": changes["enabled"]}))
    return tuple(records)


def _record(kind: str, client_id: str, changes: Mapping[str, Any]) -> Record:
    return Record(kind, client_id, client_id, changes)


def _facts(account: ManagedAccount, reading: Reading) -> dict[str, Any]:
    """Say what a new account is, leaving out what is not set."""
    return {
        name: value
        for name, value in _settable(of_row(account, reading.policy_set)).items()
        if value not in (None, "", [], {})
    }


def _differing(before: RegisteredAccount, after: RegisteredAccount) -> dict[str, Any]:
    """Say what changed, each as the old and the new."""
    old, new = _settable(before), _settable(after)
    return {name: [old[name], new[name]] for name in old if old[name] != new[name]}


def _settable(account: RegisteredAccount) -> dict[str, Any]:
    shown = {
        name: value
        for name, value in account.members(None).items()
        if read.is_member(name) or name == "organization"
    }
    if account.jwks is not None:
        # The audit names keys; which ones exactly they were, their digest tells.
        text = json.dumps(account.jwks, sort_keys=True).encode()
        shown["jwks"] = {
            "kids": [key.get("kid") for key in account.jwks["keys"]],
            "sha256": hashlib.sha256(text).hexdigest(),
        }
    return shown


def _managed_by_file() -> ChangeRefused:
    text = (
        "the account is defined by a policy file; change it there. Here it can be disabled and"
        " enabled, and its secrets be changed"
    )
    return conflict(text)
