"""Which identities a relying party may be bound to: those that are granted the service."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from broker.cli.endings import fail

if TYPE_CHECKING:
    from broker.core.policy import PolicySet, Service, ServiceAccount
    from broker.snippets import Subject

UNFIT = 1
"""The exit code when a form cannot work for the service as the files describe it."""


def granted(policy_set: "PolicySet", service: "Service") -> "list[ServiceAccount]":
    """Give the accounts of the files that hold a service and are not switched off, by id."""
    accounts = policy_set.service_accounts.values()
    return [each for each in accounts if each.enabled and service.name in each.grants]


def subjects_of(
    policy_set: "PolicySet", service: "Service", accounts: Sequence[str], subs: Sequence[str]
) -> "tuple[list[Subject], list[str]]":
    """Choose the identities: those asked for, else all of the service without `instances`.

    The second list names the accounts that were left out because of theirs. Ends the command
    where an account does not hold the service, and where nobody is left.
    """
    from broker.snippets import Subject

    holding = {each.client_id: each for each in granted(policy_set, service)}
    if not holding:
        fail(
            f"no service account is granted `{service.name}`; add it to the `grants` of one",
            UNFIT,
        )
    chosen = [_holder(each, holding, policy_set, service) for each in accounts]
    found = [
        Subject(_holder(sub.partition(":")[0], holding, policy_set, service).client_id, sub)
        for sub in subs
    ]
    for subject in found:
        _check_form(subject.sub, holding[subject.account])
    asked = bool(chosen or found)
    for account in chosen if asked else holding.values():
        if account.instances and asked:
            fail(_needs_sub(account))
        if not account.instances:
            found.append(Subject(account.client_id, account.client_id))
    left_out = [] if asked else [each for each in holding.values() if each.instances]
    if not found:
        fail(_needs_sub(left_out[0]))
    return sorted(set(found), key=lambda each: each.sub), [each.client_id for each in left_out]


def _holder(
    name: str,
    holding: "dict[str, ServiceAccount]",
    policy_set: "PolicySet",
    service: "Service",
) -> "ServiceAccount":
    from broker.core.condition_text import shown
    from broker.policy_files.sentences import did_you_mean

    account = policy_set.service_accounts.get(name)
    if account is None:
        fail(f"there is no service account `{shown(name)}`{did_you_mean(name, holding)}")
    if not account.enabled:
        fail(f"the service account `{name}` is switched off; delete its `enabled: false`")
    if name not in holding:
        fail(f"the service account `{name}` is not granted `{service.name}`; see its `grants`")
    return account


def _check_form(sub: str, account: "ServiceAccount") -> None:
    from broker.core.condition_text import shown
    from broker.core.instances import is_instance

    if not account.instances and sub != account.client_id:
        fail(f"`{account.client_id}` has one identity; write `--sub {account.client_id}`")
    if account.instances and not is_instance(sub, account.instances):
        fail(f"`{shown(sub)}` is no identity of it: {_needs_sub(account)}")


def _needs_sub(account: "ServiceAccount") -> str:
    parts = "".join(f":{claim}:VALUE" for claim in account.instances)
    return (
        f"`{account.client_id}` has an identity for each {', '.join(account.instances)};"
        f" name those meant: --sub {account.client_id}{parts}"
    )
