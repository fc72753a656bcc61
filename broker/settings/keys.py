"""Every setting there is, with its default: the table behind `broker.yaml` and `BROKER_…`."""

import re
from typing import Any, Final

from broker.core.delegation import Delegation
from broker.core.limits import Rate, RateRefused, read_rate
from broker.core.redis_address import AddressRefused, RedisAddress, is_redis, read_redis_address
from broker.core.secret_text import Secret
from broker.core.vocabulary import MAX_LEEWAY
from broker.settings.addresses import (
    collector_url,
    host_name,
    issuer_url,
    listen_address,
    network,
)
from broker.settings.delegations import delegations, delegations_from_text
from broker.settings.kinds import Key, Unusable, duration, flag, number, shown, text, texts
from broker.settings.model import Network
from broker.yaml_document import Tree

# As in `broker.core.signing_keys`, which costs the import of the cryptography behind it.
SIGNING_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
LIMITED: Final = ("client", "address", "failed")
OFF: Final = "off"

# As `broker.signing` reads it: 32 bytes in base64, of either alphabet.
_MASTER_KEY: Final = re.compile(r"[A-Za-z0-9_+/-]{43}=?")
_SECRET_PREFIX: Final = re.compile(r"[A-Za-z0-9]{1,16}")
_STORE: Final = re.compile(r"([a-z0-9+]*):(.*)")


def _path(given: str) -> str:
    if not given.strip() or given != given.strip():
        raise Unusable("a path neither is empty nor begins or ends with a space")
    if not given.isprintable():
        raise Unusable("a path holds a character that cannot be printed; delete it")
    if given.startswith("~"):
        raise Unusable("`~` is not replaced here; write the path out")
    return given


def _store(given: str) -> str | RedisAddress:
    """Give the path of the SQLite file, or the address of the server.

    A store may hold a password: nothing of it is shown.
    """
    if is_redis(given):
        try:
            return read_redis_address(given)
        except AddressRefused as refused:
            raise Unusable(f"the URL {refused}") from None
    found = _STORE.fullmatch(given)
    scheme, rest = (found[1], found[2]) if found else ("", "")
    if scheme != "sqlite":
        raise Unusable("no store that this version has; write sqlite:PATH or redis://HOST:PORT")
    if rest.startswith("//"):
        raise Unusable("a path follows `sqlite:` at once, as in sqlite:data/broker.db")
    if rest == ":memory:":
        raise Unusable("a store in memory would forget spent tokens; write sqlite:PATH")
    return _path(rest)


def _algorithm(given: str) -> str:
    if given not in SIGNING_ALGORITHMS:
        raise Unusable(f"{shown(given)} is none of {', '.join(SIGNING_ALGORITHMS)}")
    return given


def _algorithms(key: Key[tuple[str, ...]]) -> Key[tuple[str, ...]]:
    def accept(value: Tree) -> tuple[str, ...]:
        algorithms = key.accept(value)
        if not algorithms:
            raise Unusable(f"an empty list; name at least one of {', '.join(SIGNING_ALGORITHMS)}")
        if len(set(algorithms)) != len(algorithms):
            raise Unusable("an algorithm is here twice; name each once")
        return algorithms

    return Key(key.path, accept, key.default, key.from_text)


def _secret_prefix(given: str) -> str:
    if _SECRET_PREFIX.fullmatch(given) is None:
        raise Unusable(f"{shown(given)} is not made of 1 to 16 letters A-Z a-z and digits")
    return given


def _master_key(given: str) -> Secret:
    """Take the master key; whatever is wrong with it, nothing of it is shown."""
    if _MASTER_KEY.fullmatch(given) is None:
        raise Unusable(
            "not 32 bytes in base64 on one line; make one with `openssl rand -base64 32`"
        )
    return Secret(given)


def _rate(given: str) -> Rate | None:
    """Give a rate, None for `off`."""
    if given == OFF:
        return None
    try:
        return read_rate(given)
    except RateRefused as refused:
        raise Unusable(f"{shown(given)} {refused}, or `off` for no limit") from None


def _off(given: str) -> bool:
    if given != OFF:
        raise Unusable(
            f"{shown(given)} is not `off`; a limit is a member, as in `{{client: 600/m}}`"
        )
    return True


ISSUER: Final = text("issuer", issuer_url, None)
LISTEN: Final = text("listen", listen_address, ("127.0.0.1", 8080))
ADMIN_LISTEN: Final = text("admin_listen", listen_address, None)
POLICIES: Final = text("policies", _path, "policies")
STORE: Final = text("store", _store, "data/broker.db")
MASTER_KEY_FILE: Final = text("master_key_file", _path, "data/master.key")
MASTER_KEY: Final = text("master_key", _master_key, None, from_text=str.strip)
ALGORITHMS: Final = _algorithms(texts("signing.algorithms", _algorithm, ("RS256", "ES256")))
ROTATE_EVERY: Final = duration("signing.rotate_every", "30d")
PUBLISH_BEFORE_USE: Final = duration("signing.publish_before_use", "24h")
TTL: Final = duration("tokens.ttl", "10m", at_most=86_400)
MAX_TTL: Final = duration("tokens.max_ttl", "1h", at_most=86_400)
SECRET_PREFIX: Final = text("secret_prefix", _secret_prefix, "live")
MAX_ACCOUNTS: Final = number("max_accounts", 100, at_most=1_000_000)
LEEWAY: Final = duration("leeway", "60s", at_least=0, at_most=MAX_LEEWAY)
TRUSTED_PROXIES: Final[Key[tuple[Network, ...]]] = texts("trusted_proxies", network, ())
JWKS_HOSTS: Final = texts("jwks_hosts", host_name, ())
RETENTION: Final = duration("audit.retention", "90d")
STDOUT: Final = flag("audit.stdout", default=True)
PUBLIC_METRICS: Final = flag("metrics.public", default=False)
OTEL_ENDPOINT: Final = text("otel.endpoint", collector_url, None)
RATE_LIMITS: Final = text("rate_limits", _off, None)
CLIENT_LIMIT: Final = text("rate_limits.client", _rate, _rate("600/m"))
ADDRESS_LIMIT: Final = text("rate_limits.address", _rate, _rate("6000/m"))
FAILED_LIMIT: Final = text("rate_limits.failed", _rate, _rate("600/m"))
FOLDERS: Final[Key[tuple[Delegation, ...]]] = Key(
    ("folders",), delegations, (), delegations_from_text
)

KEYS: Final[tuple[Key[Any], ...]] = (
    ISSUER,
    LISTEN,
    ADMIN_LISTEN,
    POLICIES,
    STORE,
    MASTER_KEY_FILE,
    MASTER_KEY,
    ALGORITHMS,
    ROTATE_EVERY,
    PUBLISH_BEFORE_USE,
    TTL,
    MAX_TTL,
    SECRET_PREFIX,
    MAX_ACCOUNTS,
    LEEWAY,
    TRUSTED_PROXIES,
    JWKS_HOSTS,
    RATE_LIMITS,
    CLIENT_LIMIT,
    ADDRESS_LIMIT,
    FAILED_LIMIT,
    RETENTION,
    STDOUT,
    PUBLIC_METRICS,
    OTEL_ENDPOINT,
    FOLDERS,
)
