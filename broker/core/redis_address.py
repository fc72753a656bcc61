"""Where a Redis store is reached: the URL of it, taken apart (contract §3).

A URL may hold a password, so no message repeats any of it.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from broker.core.secret_text import Secret

PORT: Final = 6379
SENTINEL_PORT: Final = 26379
MAX_DATABASE: Final = 999_999

_URL: Final = re.compile(r"(redis|rediss|redis\+sentinel)://(.*)", re.DOTALL)
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_DATABASE: Final = re.compile(r"0|[1-9][0-9]{0,5}")
_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MAX_PORT: Final = 65_535

_SERVER_FORM: Final = "redis://USER:PASSWORD@HOST:PORT/DATABASE"
_SENTINEL_FORM: Final = "redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME/DATABASE"
_CA_FILE: Final = "ca_file"
_TLS: Final = "tls"
_SENTINEL_USER: Final = "sentinel_user"
_SENTINEL_PASSWORD: Final = "sentinel_password"


class AddressRefused(ValueError):
    """A text that is no address of a Redis store; the message says how to write one."""


@dataclass(frozen=True, slots=True)
class RedisLogin:
    """An ACL user and its password."""

    user: str
    """Empty for the user that a server has by itself."""

    password: Secret


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis store is reached."""

    hosts: tuple[tuple[str, int], ...]
    """The server, or the Sentinels that know it; an IPv6 address without brackets."""

    database: int = 0
    sentinel_name: str | None = None
    """What the Sentinels call the server; None when `hosts` is the server itself."""

    login: RedisLogin | None = None
    sentinel_login: RedisLogin | None = None
    tls: bool = False
    """Whether server and Sentinels are reached by TLS alone."""

    ca_file: str | None = None
    """The certificates that sign the server's; None for those of the system."""

    @property
    def shown(self) -> str:
        """The address without user and password."""
        hosts = ",".join(map(_shown_host, self.hosts))
        if self.sentinel_name is not None:
            return f"redis+sentinel://{hosts}/{self.sentinel_name}/{self.database}"
        return f"redis{'s' if self.tls else ''}://{hosts}/{self.database}"


def is_redis(text: str) -> bool:
    """Tell whether a text is meant to be the URL of a Redis store."""
    return _URL.fullmatch(text) is not None


def read_redis_address(text: str) -> RedisAddress:
    """Take the URL of a Redis store apart. Raises `AddressRefused`."""
    found = _URL.fullmatch(text)
    if found is None:
        raise AddressRefused(f"begins with none of redis://, rediss://, redis+sentinel://: {_FORM}")
    scheme, rest = found.groups()
    if not rest.isascii() or not rest.isprintable() or " " in rest or "#" in rest:
        raise AddressRefused("holds a sign that no URL has; write it as %XX")
    if _ESCAPE.search(rest):
        raise AddressRefused("holds a % that is not followed by two hexadecimal digits; write %25")
    before, _, query = rest.partition("?")
    authority, _, path = before.partition("/")
    given_login, at, hosts = authority.rpartition("@")
    login = _login(given_login) if at else None
    options = _options(query)
    if scheme == "redis+sentinel":
        return _by_sentinels(hosts, path, login, options)
    return _server(hosts, path, login, options, tls=scheme == "rediss")


_FORM: Final = f"write {_SERVER_FORM}"


def _server(
    hosts: str, path: str, login: RedisLogin | None, options: dict[str, str], *, tls: bool
) -> RedisAddress:
    if "," in hosts:
        raise AddressRefused(f"names several servers; Sentinels are named by {_SENTINEL_FORM}")
    _refuse_others(options, {_CA_FILE})
    if _CA_FILE in options and not tls:
        raise AddressRefused("has a `ca_file` without TLS; write rediss://")
    return RedisAddress(
        hosts=(_host(hosts, PORT),),
        database=_database(path),
        login=login,
        tls=tls,
        ca_file=options.get(_CA_FILE),
    )


def _by_sentinels(
    hosts: str, path: str, login: RedisLogin | None, options: dict[str, str]
) -> RedisAddress:
    _refuse_others(options, {_CA_FILE, _TLS, _SENTINEL_USER, _SENTINEL_PASSWORD})
    name, _, database = path.partition("/")
    if _NAME.fullmatch(name) is None:
        raise AddressRefused(f"does not say what the Sentinels call the server: {_SENTINEL_FORM}")
    if options.get(_TLS, "true") != "true":
        raise AddressRefused("has a `tls` that is not `true`; leave it out for a server without")
    tls = _TLS in options
    if _CA_FILE in options and not tls:
        raise AddressRefused("has a `ca_file` without TLS; add `tls=true`")
    return RedisAddress(
        hosts=tuple(_host(each, SENTINEL_PORT) for each in hosts.split(",")),
        database=_database(database),
        sentinel_name=name,
        login=login,
        sentinel_login=_sentinel_login(options),
        tls=tls,
        ca_file=options.get(_CA_FILE),
    )


def _login(text: str) -> RedisLogin:
    user, colon, password = text.partition(":")
    if not colon or not password:
        raise AddressRefused("has a user without a password; write USER:PASSWORD@ or :PASSWORD@")
    if "@" in text:
        raise AddressRefused("has an @ in its password; write it as %40")
    return RedisLogin(_plain(user), Secret(_plain(password)))


def _sentinel_login(options: dict[str, str]) -> RedisLogin | None:
    password = options.get(_SENTINEL_PASSWORD)
    if password is None:
        if _SENTINEL_USER in options:
            raise AddressRefused("has a `sentinel_user` without a `sentinel_password`")
        return None
    return RedisLogin(options.get(_SENTINEL_USER, ""), Secret(password))


def _plain(text: str) -> str:
    try:
        plain = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise AddressRefused("has a user or password that is no UTF-8") from None
    return plain


def _host(text: str, default_port: int) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    if found is None:
        raise AddressRefused(
            f"has no host in its place; special signs of a password are %XX: {_FORM}"
        )
    port = int(found[2]) if found[2] else default_port
    if not 0 < port <= _MAX_PORT:
        raise AddressRefused(f"has a port that is not from 1 to {_MAX_PORT}")
    return found[1].strip("[]"), port


def _database(text: str) -> int:
    if text and _DATABASE.fullmatch(text) is None:
        raise AddressRefused(f"has a database that is no number from 0 to {MAX_DATABASE}")
    return int(text or 0)


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name in options:
            raise AddressRefused("has an option twice")
        if not value:
            raise AddressRefused("has an option without a value behind ?; write NAME=VALUE")
        options[name] = _plain(value)
    return options


def _refuse_others(options: dict[str, str], known: set[str]) -> None:
    if not options.keys() <= known:
        raise AddressRefused(f"has an option that it does not know: {', '.join(sorted(known))}")


def _shown_host(host: tuple[str, int]) -> str:
    name, port = host
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
