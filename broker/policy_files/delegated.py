"""What files in delegated folders must not hold: every fault with its place and its mending."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from broker.core.delegation import DelegatedFolders, Delegation
from broker.core.errors import Problem
from broker.policy_files.deployment import Deployment
from broker.policy_files.document_entries import MODELS, TESTS, Entry, Model
from broker.policy_files.entries import Entries
from broker.policy_files.models import PolicyModel, ServiceAccountModel
from broker.yaml_document import Document

_ELSEWHERE: Final = "or move it to a folder that may hold it"


def delegation_faults(
    documents: Iterable[Document], entries: Entries, deployment: Deployment
) -> Iterator[Problem]:
    """Find what the delegations of `deployment.folders` forbid in the files below their folders.

    Looks at what is written, before anything is made of it: nothing there can widen itself.
    """
    if not deployment.folders:
        return
    folders = DelegatedFolders(deployment.folders)
    above: dict[str, tuple[Delegation, ...]] = {}
    for document in documents:
        try:
            positions = deployment.positions_of(document.file)
        except ValueError:
            text = "not below the policy folder, so it is unknown what it may hold; move it there"
            yield Problem(document.file, 0, 0, text)
            continue
        above[document.file] = tuple(
            {each: None for position in positions for each in folders.above(position)}
        )
        yield from _lookalikes(document, positions, folders)
        for delegation in above[document.file]:
            yield from _map_faults(document, delegation)
    yield from _entry_faults(entries, above)


def _lookalikes(
    document: Document, positions: Iterable[str], folders: DelegatedFolders
) -> Iterator[Problem]:
    for position in positions:
        found = folders.lookalike(position)
        if found is not None:
            folder, delegated = found
            text = f"`{folder}/` looks like the delegated `{delegated}/`; give it another name"
            yield Problem(document.file, 0, 0, text)


def _map_faults(document: Document, delegation: Delegation) -> Iterator[Problem]:
    for section in document.value:
        # What is no map at all is told where entries are collected.
        if section in (*MODELS, TESTS) and section not in delegation.maps:
            text = f"`{section}` may not stand {_only(delegation, delegation.maps)}; move it"
            yield document.problem((section,), text, at_key=True)


def _entry_faults(
    entries: Entries, above: Mapping[str, tuple[Delegation, ...]]
) -> Iterator[Problem]:
    for policy in entries.policies.values():
        for delegation in _over(policy, "policies", above):
            yield from _effect_faults(policy, delegation)
            if policy.model.effect == "deny":
                yield from _deny_faults(policy, delegation)
            else:
                yield from _allow_faults(policy, delegation, entries)
    for account in entries.service_accounts.values():
        for delegation in _over(account, "service_accounts", above):
            yield from _account_faults(account, delegation)
    for service in entries.services.values():
        for delegation in _over(service, "services", above):
            if service.name not in delegation.services:
                text = f"`{service.name}` may not be defined {_services(delegation)}; move it"
                yield service.problem((), text, at_key=True)


def _over(
    entry: Entry[Model], section: str, above: Mapping[str, tuple[Delegation, ...]]
) -> Iterator[Delegation]:
    """Give the delegations above an entry, but for those that forbid its map: that says it all."""
    for delegation in above.get(entry.document.file, ()):
        if section in delegation.maps:
            yield delegation


def _effect_faults(entry: Entry[PolicyModel], delegation: Delegation) -> Iterator[Problem]:
    effect = entry.model.effect
    if effect not in delegation.effects:
        where = _only(delegation, delegation.effects)
        text = f"policies may not {effect} {where}; mend it, {_ELSEWHERE}"
        written = "effect" in entry.model.model_fields_set
        yield entry.problem(("effect",) if written else (), text, at_key=not written)


def _deny_faults(entry: Entry[PolicyModel], delegation: Delegation) -> Iterator[Problem]:
    if entry.model.services is None:
        text = (
            "`services` is missing, so the policy would deny every service; name those meant"
            f" {_services(delegation)}"
        )
        yield entry.problem((), text, at_key=True)
    for index, name in enumerate(entry.model.services or ()):
        if name not in delegation.services:
            text = f"`{name}` may not be denied {_services(delegation)}; delete it"
            yield entry.problem(("services", index), text)


def _allow_faults(
    entry: Entry[PolicyModel], delegation: Delegation, entries: Entries
) -> Iterator[Problem]:
    model = entry.model
    account = model.service_account
    if account is not None and not delegation.admits_account(account):
        where = _only(delegation, delegation.service_accounts)
        text = f"`{account}` may not be named {where}; name another, {_ELSEWHERE}"
        yield entry.problem(("service_account",), text)
    if model.grants is not None:
        yield from _grant_faults(entry, model.grants, delegation)
        return
    # An account that no file defines is refused here without `grants`, whoever writes it.
    named = entries.service_accounts.get(account or "")
    held = named.model.grants if named else {}
    beyond = tuple(sorted(name for name in held if name not in delegation.services))
    if beyond:
        text = (
            f"`{account}` also holds {_listed(beyond)}, which may not be granted"
            f" {_services(delegation)}; give the policy `grants` of its own"
        )
        yield entry.problem(("service_account",), text)


def _account_faults(entry: Entry[ServiceAccountModel], delegation: Delegation) -> Iterator[Problem]:
    if not delegation.admits_account(entry.name):
        where = _only(delegation, delegation.service_accounts)
        text = f"`{entry.name}` may not be defined {where}; rename it, {_ELSEWHERE}"
        yield entry.problem((), text, at_key=True)
    yield from _grant_faults(entry, entry.model.grants, delegation)


def _grant_faults(
    entry: Entry[Model],
    grants: Iterable[str],
    delegation: Delegation,
) -> Iterator[Problem]:
    for name in grants:
        if name not in delegation.services:
            text = f"`{name}` may not be granted {_services(delegation)}; delete it"
            yield entry.problem(("grants", name), text, at_key=True)


def _services(delegation: Delegation) -> str:
    return _only(delegation, delegation.services)


def _only(delegation: Delegation, allowed: tuple[str, ...]) -> str:
    which = f"{_listed(allowed)} alone" if allowed else "none"
    return f"below `{delegation.folder}/`, where `folders` in the configuration allows {which}"


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words)
