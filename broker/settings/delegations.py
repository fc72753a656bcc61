"""The setting `folders`: which folders of the policies are delegated, and what they may hold."""

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Final

from broker.core.account_id import is_account_id
from broker.core.broker_service import BROKER_SERVICE
from broker.core.delegation import Delegation
from broker.core.errors import ConfigurationError
from broker.settings.kinds import Fault, Place, Unusable, filled, kind_of, shown
from broker.yaml_document import Tree, read

# As in `broker.policy_files`, a room beside this one.
MAPS: Final = ("organizations", "issuers", "services", "service_accounts", "policies", "tests")
EFFECTS: Final = ("allow", "deny")
DEV_FOLDER: Final = "dev"

_MEMBERS: Final = ("maps", "effects", "service_accounts", "services")
_EXAMPLE: Final = (
    '{teams/web/: {maps: [policies], effects: [allow], service_accounts: ["web-*"],'
    " services: [deploy-api]}}"
)
_PART: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_ACCOUNTS: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?-\*")
_SERVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def delegations(value: Tree) -> tuple[Delegation, ...]:
    """Read the delegations, sorted by folder. Raises `Unusable` with every fault of them."""
    if not isinstance(value, dict):
        raise Unusable(f"{kind_of(value)} where a mapping belongs, such as {_EXAMPLE}")
    faults: list[Fault] = []
    found: dict[str, Delegation] = {}
    by_looks: dict[str, str] = {}
    for key, content in value.items():
        folder = key.removesuffix("/")
        fault = _folder_fault(key, folder)
        if fault is None and folder.casefold() in by_looks:
            other = by_looks[folder.casefold()]
            fault = f"{shown(key)} is the folder of {shown(other)} again; write each once"
        if fault is not None:
            faults.append(Fault(fault, (key,), at_key=True))
        by_looks[folder.casefold()] = key
        lists = _lists(key, content, faults)
        if fault is None:
            maps, effects, accounts, services = (lists.get(name, ()) for name in _MEMBERS)
            found[folder] = Delegation(folder, maps, effects, accounts, services)
    if faults:
        raise Unusable(*faults)
    return tuple(found[folder] for folder in sorted(found))


def delegations_from_text(given: str) -> Tree:
    """Read the text of a variable: a YAML mapping in braces. Raises `Unusable`."""
    filled(given)
    if not given.startswith("{"):
        raise Unusable(f"a text where a mapping in braces belongs, such as {_EXAMPLE}")
    try:
        return read(f"folders: {given}", "").value["folders"]
    except ConfigurationError as error:
        raise Unusable(*(problem.message for problem in error.problems)) from None


def _folder_fault(key: str, folder: str) -> str | None:
    parts = folder.split("/")
    fault = None
    if folder in {"", "."}:
        fault = "is all policies; name a folder below the folder of the policies"
    elif key.startswith("/"):
        fault = "begins with a slash; write the path below the folder of the policies"
    elif ".." in parts:
        fault = "leads upwards; write the path below the folder of the policies"
    elif any(mark in key for mark in "*?["):
        fault = "holds a wildcard; name every folder"
    elif "." in parts or "" in parts:
        fault = "holds an empty part or `.`; write the shortest form of the path"
    elif parts[0] == DEV_FOLDER:
        fault = "is for `--dev` alone and cannot be delegated; delete it"
    elif any(part.startswith(".") for part in parts):
        fault = "is hidden, and hidden folders are not read; name another"
    elif not all(_PART.fullmatch(part) for part in parts):
        fault = "is not made of letters A-Z a-z, digits, `.`, `_` and `-`; rename the folder"
    return f"{shown(key)} {fault}" if fault is not None else None


def _lists(key: str, content: Tree, faults: list[Fault]) -> dict[str, tuple[str, ...]]:
    """Read the members of one delegation, each as a list; what is wrong goes to `faults`."""
    if not isinstance(content, dict):
        text = f"{shown(key)}: {kind_of(content)} where a mapping belongs, of {_listed(_MEMBERS)}"
        faults.append(Fault(text, (key,)))
        return {}
    for name in content:
        if name not in _MEMBERS:
            near = get_close_matches(name, _MEMBERS, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {_listed(_MEMBERS)}"
            text = f"{shown(key)}: there is no {shown(name)} here; {hint}"
            faults.append(Fault(text, (key, name), at_key=True))
    lists: dict[str, tuple[str, ...]] = {
        name: _list(key, name, content[name], faults) for name in _MEMBERS if name in content
    }
    for name, why in _missing(lists):
        faults.append(Fault(f"{shown(key)}: `{name}` is missing: {why}", (key,), at_key=True))
    return lists


def _missing(lists: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """Name the members that must be written, and why; absent would mean none."""
    missing: list[tuple[str, str]] = []
    maps, effects = lists.get("maps", ()), lists.get("effects", ())
    if "maps" not in lists:
        missing.append(("maps", f"which of {_listed(MAPS)} may stand there?"))
    if "policies" in maps and "effects" not in lists:
        missing.append(("effects", "may policies there allow, deny or both?"))
    acting = "service_accounts" in maps or ("policies" in maps and "allow" in effects)
    if acting and "service_accounts" not in lists:
        missing.append(("service_accounts", "which accounts may be named there?"))
    if {"policies", "service_accounts", "services"} & set(maps) and "services" not in lists:
        missing.append(("services", "which services may be granted, denied or defined there?"))
    return missing


def _list(key: str, name: str, value: Tree, faults: list[Fault]) -> tuple[str, ...]:
    at: Place = (key, name)
    if not isinstance(value, list) or not value:
        what = "an empty list" if value == [] else kind_of(value)
        text = f"{shown(key)}: {what} where `{name}` must be a list that names at least one"
        faults.append(Fault(text, at))
        return ()
    items: list[str] = []
    for index, item in enumerate(value):
        if not isinstance(item, str):
            fault: str | None = f"{kind_of(item)} where a text belongs; put it into quotes"
        elif item in items:
            fault = f"{shown(item)} is here twice; write it once"
        else:
            fault = _FAULT_OF[name](item)
            items.append(item)
        if fault is not None:
            faults.append(Fault(f"{shown(key)}: {fault}", (*at, index)))
    return tuple(items)


def _map_fault(item: str) -> str | None:
    return None if item in MAPS else f"{shown(item)} is none of {_listed(MAPS)}"


def _effect_fault(item: str) -> str | None:
    return None if item in EFFECTS else f"{shown(item)} is none of {_listed(EFFECTS)}"


def _account_fault(item: str) -> str | None:
    if "*" not in item:
        if is_account_id(item):
            return None
        return f"{shown(item)} is no id of an account: 2 to 63 of a-z, 0-9 and `-`"
    if _ACCOUNTS.fullmatch(item) is None:
        return (
            f'{shown(item)}: `*` stands only at the end, after a name and `-`, as in "web-*"'
            " (`web*` would also be `website`)"
        )
    if item.startswith("m-"):
        return f"{shown(item)} is whichever account was made through the API; name the ones meant"
    return None


def _service_fault(item: str) -> str | None:
    if "*" in item:
        return f"{shown(item)}: no wildcards; name every service"
    if item == BROKER_SERVICE:
        return f"{shown(item)} is the broker itself, which is not delegated; delete it"
    return None if _SERVICE.fullmatch(item) else f"{shown(item)} is no name of a service"


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words)


_FAULT_OF: Final[dict[str, Callable[[str], str | None]]] = {
    "maps": _map_fault,
    "effects": _effect_fault,
    "service_accounts": _account_fault,
    "services": _service_fault,
}
