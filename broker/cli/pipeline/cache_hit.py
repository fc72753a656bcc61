"""`broker token SERVICE` from the cache, before anything is imported that takes long.

A script asks for its token again and again; then the command line itself would be what it waits
for. Whatever is not plainly a hit is left to the command.
"""

import os
import time
from collections.abc import Mapping, Sequence

from broker.client import token_files

_OPTIONS = {
    "--scope": "scope",
    "--service-account": "service_account",
    "--format": "format",
    "--url": "url",
}
_FORMATS = {
    "raw": "{}\n",
    "header": "Authorization: Bearer {}\n",
    "curl-config": 'header = "Authorization: Bearer {}"\n',
}
_DEFAULTS = {
    "url": "BROKER_URL",
    "scope": "BROKER_SCOPE",
    "service_account": "BROKER_SERVICE_ACCOUNT",
}
# What each of these changes, the command knows.
_NOT_HERE = ("BROKER_TTL", "BROKER_CLIENT_SECRET_FILE")


def from_cache(words: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Give what `broker` with these words would print; None when the command has to be run."""
    wanted = _wanted(words, environment)
    if wanted is None:
        return None
    identity = token_files.fingerprint_of_job(environment)
    folder = token_files.private_folder(environment) if identity else None
    if identity is None or folder is None:
        return None
    url = wanted["url"].rstrip("/")
    name = token_files.file_name(
        url, wanted["service"], wanted["scope"], wanted["service_account"], None, identity
    )
    record = token_files.read_record(f"{folder}{os.sep}{name}.json")
    token = None if record is None else _fresh(record)
    return None if token is None else _FORMATS[wanted["format"]].format(token)


def _wanted(words: Sequence[str], environment: Mapping[str, str]) -> dict[str, str] | None:
    """Read the words as long as they are of the plainest kind."""
    if words[:1] != ["token"] or any(map(environment.get, _NOT_HERE)):
        return None
    if environment.get("BROKER_AUTH", "oidc") != "oidc":
        return None
    wanted = {name: environment.get(variable, "") for name, variable in _DEFAULTS.items()}
    wanted |= {"format": "raw", "service": environment.get("BROKER_SERVICE", "")}
    rest, seen = list(words[1:]), set()
    while rest:
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        if option not in _OPTIONS:
            if word.startswith("-") or "service" in seen:
                return None
            name, value = "service", word
        else:
            name = _OPTIONS[option]
            if not equals:
                if not rest:
                    return None
                value = rest.pop(0)
        if name in seen:
            return None
        seen.add(name)
        wanted[name] = value
    return wanted if wanted["format"] in _FORMATS and wanted["service"] else None


def _fresh(record: Mapping[str, object]) -> str | None:
    """Give the token of a record unless it is over, or is to be renewed."""
    left = token_files.remaining(record, token_files.boot_id(), time.monotonic())
    token = record.get("token")
    if left is None or not isinstance(token, dict):
        return None
    return token["access_token"] if left > token_files.renew_within(token["expires_in"]) else None
