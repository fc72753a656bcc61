"""`broker token SERVICE …` in its plain forms, read before anything is imported that takes long.

Whatever is less plain is left to the command line proper, which knows all options and says what is
wrong with them.
"""

import time
from collections.abc import Mapping, Sequence

_OPTIONS = {
    "--scope": "scope",
    "--service-account": "service_account",
    "--ttl": "ttl",
    "--format": "format",
    "--url": "url",
    "--audience": "audience",
}
_DEFAULTS = {
    "url": "BROKER_URL",
    "scope": "BROKER_SCOPE",
    "service_account": "BROKER_SERVICE_ACCOUNT",
    "ttl": "BROKER_TTL",
}
_FORMATS = {
    "raw": "{token}\n",
    "header": "Authorization: Bearer {token}\n",
    "curl-config": 'header = "Authorization: Bearer {token}"\n',
    "shell": "export BROKER_TOKEN='{token}'\nexport BROKER_TOKEN_EXPIRES_AT='{expires_at}'\n",
    "env": "BROKER_TOKEN='{token}'\nBROKER_TOKEN_EXPIRES_AT='{expires_at}'\n",
}
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_LONGEST = 86_400


def plain_request(words: Sequence[str], environment: Mapping[str, str]) -> dict[str, str] | None:
    """Read what is asked for, by the names of `Asked`, and the format; all of it texts.

    None for other commands, and as soon as a word or variable is not of the plainest kind.
    """
    if words[:1] != ["token"] or environment.get("BROKER_CLIENT_SECRET_FILE"):
        return None
    if environment.get("BROKER_AUTH", "oidc") != "oidc":
        return None
    wanted = {name: environment.get(variable, "") for name, variable in _DEFAULTS.items()}
    service = environment.get("BROKER_SERVICE", "")
    wanted |= {"format": "raw", "service": service, "audience": "", "no_cache": ""}
    rest, seen = list(words[1:]), set()
    while rest:
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        if word == "--no-cache":
            name, value = "no_cache", "yes"
        elif option not in _OPTIONS:
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
    good = wanted["format"] in _FORMATS and wanted["service"] and seconds(wanted["ttl"]) != 0
    return wanted if good else None


def seconds(ttl: str) -> int | None:
    """Read a time to live: None for none, 0 for what the command has to look at."""
    if not ttl:
        return None
    number, unit = ttl[:-1], _SECONDS.get(ttl[-1])
    plain = unit is not None and number.isascii() and number.isdigit() and number[0] != "0"
    if unit is None or not plain or len(number) > len(str(_LONGEST)):
        return 0
    total = int(number) * unit
    return total if total <= _LONGEST else 0


def in_format(name: str, token: str, expires_at: int) -> str:
    """Write a token of visible ASCII without quotes in a plain format, as `broker.client.formats`.

    `expires_at` is in seconds since the epoch.
    """
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires_at))
    return _FORMATS[name].format(token=token, expires_at=moment)
