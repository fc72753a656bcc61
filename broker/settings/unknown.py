"""What to say of a key or a variable that is no setting: which one was probably meant."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from broker.settings.keys import FOLDERS, KEYS, MASTER_KEY
from broker.settings.kinds import shown

# clients.md §4.1: `broker token` and its kin read these, often in the same environment.
CLIENT_VARIABLES: Final = frozenset({
    "BROKER_URL", "BROKER_SERVICE", "BROKER_SCOPE", "BROKER_TTL", "BROKER_SERVICE_ACCOUNT",
    "BROKER_AUTH", "BROKER_CLIENT_SECRET_FILE", "BROKER_ID_TOKEN", "BROKER_ID_TOKEN_FILE",
    "BROKER_HOSTS", "BROKER_OUT", "BROKER_TOKEN", "BROKER_TOKEN_EXPIRES_AT",
    "BROKER_TOKEN_FILE",
})  # fmt: skip

_VARIABLES: Final = [key.variable for key in KEYS]
_FILE_PATHS: Final = [key.path for key in KEYS if key is not MASTER_KEY]
_POLICY_MAPS: Final = frozenset({
    "organizations", "issuers", "services", "service_accounts", "tests",
})  # fmt: skip
# Kubernetes sets these in every pod beside a Service whose name begins with `broker`.
_SERVICE_LINK: Final = re.compile(
    r"BROKER_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?"
    r"|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)


def unknown_key(path: Sequence[str]) -> str:
    """Describe a key of the file that is no setting."""
    *group, name = path
    if tuple(path) == MASTER_KEY.path:
        return (
            "a secret does not belong into this file: put the key into a file of its own and name"
            f" that as `master_key_file`, or set {MASTER_KEY.variable}"
        )
    if not group and name in _POLICY_MAPS:
        return f"{shown(name)} belongs into a file in the folder `policies`, not here"
    elsewhere = {known[-1]: known for known in _FILE_PATHS if len(known) != len(path)}
    meant = elsewhere.get(name.rpartition(".")[2])
    if meant is not None:
        where = f"below `{meant[0]}`" if len(meant) > 1 else "at the top"
        return f"{shown(name)} is no setting; did you mean `{meant[-1]}` {where}?"
    depth = len(group)
    here = {known[depth] for known in _FILE_PATHS if [*known[:depth]] == group and known[depth:]}
    near = get_close_matches(name, here, n=1)
    if near:
        return f"{shown(name)} is no setting; did you mean `{near[0]}`?"
    return f"{shown(name)} is no setting; there are {', '.join(sorted(here))}"


def unknown_variable(name: str) -> str:
    """Describe a `BROKER_` variable that is no setting; its value is not looked at."""
    word = name.removeprefix("BROKER_").lower()
    nested = [key for key in KEYS if len(key.path) > 1]
    if name.startswith(f"{FOLDERS.variable}__"):
        return f"no setting; write all folders as one mapping in braces into {FOLDERS.variable}"
    members = [key.variable for key in nested if key.path[0] == word]
    if members:
        return f"a group of settings; set its members: {', '.join(members)}"
    if _SERVICE_LINK.fullmatch(name):
        return (
            "no setting, but what Kubernetes sets for a Service of that name; write"
            " `enableServiceLinks: false` into the pod's `spec`"
        )
    near = [key.variable for key in nested if key.path[-1] == word]
    near = near or get_close_matches(name.upper(), _VARIABLES, n=1, cutoff=0.8)
    if near:
        return f"no setting; did you mean {near[0]}?"
    return "no setting; unset it (the reference of the configuration lists them all)"
