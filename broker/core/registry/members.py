"""The members of a service account as requests write them, each read into what is kept."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import urlsplit

from broker.core.account_id import is_account_id, is_generated
from broker.core.durations import DurationRefused, seconds_of
from broker.core.grant_text import WILDCARD, scopes_meant
from broker.core.instants import TIME_FORM, InstantRefused, parse_time
from broker.core.issuer_keys import KeysRefused, read_jwks
from broker.core.managed_account import admits
from broker.core.policy import PolicySet, Service
from broker.core.registry.authority import not_open
from broker.core.registry.refused import invalid
from broker.core.vocabulary import ASYMMETRIC_ALGORITHMS

MAX_TTL: Final = 86_400
MAX_NAME: Final = 100
MAX_DESCRIPTION: Final = 1000
MAX_METADATA_BYTES: Final = 1024
MAX_JSON_INTEGER: Final = 2**53
MAX_NETWORKS: Final = 50
MAX_SERVICES: Final = 100
MAX_SCOPES: Final = 200
MAX_JWKS_BYTES: Final = 16 * 1024
MAX_URL: Final = 2000

_NAME_OF_METADATA: Final = re.compile(r"[!-~]{1,64}")


@dataclass(frozen=True, slots=True)
class RegistryRules:
    """What the configuration says of managed accounts."""

    max_accounts: int = 100
    """How many an organization may have."""

    jwks_hosts: tuple[str, ...] = ()
    """Which hosts a `jwks_uri` may name."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the members are read by: the catalogue, the rules, and the time in seconds."""

    policy_set: PolicySet
    rules: RegistryRules
    now: float
    organization: str | None = None
    """What whoever writes them is confined to."""

    def member(self, name: str, value: object) -> Any:  # noqa: ANN401 - as its field is typed
        """Read one member by its name. Raises `ChangeRefused` (`INVALID_REQUEST`) naming it."""
        return _READERS[name](self, name, value)


def is_member(name: str) -> bool:
    """Tell whether requests may set a member of this name."""
    return name in _READERS


def client_id(value: object) -> str:
    """Read an id that was chosen (contract §5). Raises `ChangeRefused`."""
    if not isinstance(value, str) or not is_account_id(value):
        text = "must be 2 to 63 of a-z, 0-9 and '-', beginning with a letter or digit"
        raise invalid("client_id", text)
    if is_generated(value):
        raise invalid("client_id", "ids that begin with 'm-' are generated; choose another")
    return value


def texts(name: str, value: object, *, at_most: int) -> tuple[str, ...]:
    """Read a list of texts, each counted once. Raises `ChangeRefused`."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise invalid(name, "must be a list of texts")
    if len(value) > at_most:
        raise invalid(name, f"has more than {at_most} items")
    return tuple(dict.fromkeys(value))


def instant(name: str, value: object, now: float) -> float | None:
    """Read a moment that lies ahead, RFC 3339 with its offset. Raises `ChangeRefused`."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise invalid(name, TIME_FORM)
    try:
        seconds = parse_time(value)
    except InstantRefused as refused:
        raise invalid(name, str(refused)) from None
    if seconds <= now:
        raise invalid(name, "must lie ahead")
    return seconds


def duration(name: str, value: object, *, minimum: int, maximum: int) -> int:
    """Read a duration: whole seconds, or a text such as `10m`. Raises `ChangeRefused`."""
    try:
        if type(value) is int:
            value = f"{value}s"
        return seconds_of(value, minimum=minimum, maximum=maximum)
    except DurationRefused as refused:
        raise invalid(name, f"{refused}, or the same in seconds") from None


def shortcut(
    services: object, scopes: object, named: str, reading: Reading
) -> dict[str, tuple[str, ...]]:
    """Read `services` and `scopes`: each scope in each of the services whose catalogue has it.

    `named` is what the request calls the scopes. Raises `ChangeRefused`.
    """
    wanted = texts("services", services, at_most=MAX_SERVICES)
    asked = texts(named, scopes, at_most=MAX_SCOPES)
    grants: dict[str, tuple[str, ...]] = {}
    used: set[str] = set()
    for name in wanted:
        service = _service(f"services.{name}", name, reading)
        having = tuple(scope for scope in asked if scopes_meant([scope], service))
        used.update(having)
        if having or not service.scopes:
            grants[name] = having
    unknown = [scope for scope in asked if scope not in used]
    if unknown:
        raise invalid(named, f"none of these services has the scope {_shown(unknown[0])}")
    return grants


def _read_name(_reading: Reading, name: str, value: object) -> str:
    return _line(name, value, at_most=MAX_NAME, at_least=1)


def _read_description(_reading: Reading, name: str, value: object) -> str:
    return "" if value is None else _line(name, value, at_most=MAX_DESCRIPTION)


def _line(name: str, value: object, *, at_most: int, at_least: int = 0) -> str:
    if not isinstance(value, str) or not at_least <= len(value) <= at_most:
        raise invalid(name, f"must be a text of {at_least} to {at_most} characters")
    if not value.isprintable():
        # It is shown on terminals and pages (attacks rows 58, 174).
        raise invalid(name, "must have printable characters alone, on one line")
    return value


def _read_grants(reading: Reading, name: str, value: object) -> dict[str, tuple[str, ...]]:
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MAX_SERVICES:
        text = f"must be an object of at most {MAX_SERVICES} services, each with its scopes"
        raise invalid(name, text)
    return {
        service: _scopes(f"{name}.{service}", scopes, service, reading)
        for service, scopes in value.items()
    }


def _scopes(field: str, value: object, name: str, reading: Reading) -> tuple[str, ...]:
    service = _service(field, name, reading)
    scopes = texts(field, value, at_most=MAX_SCOPES)
    for scope in scopes:
        if not scopes_meant([scope], service):
            raise invalid(field, _scope_fault(scope, service))
    return scopes


def _scope_fault(scope: str, service: Service) -> str:
    if "*" in scope and not WILDCARD.fullmatch(scope):
        return "'*' stands only at the end, after a colon, as in 'deploy:*'"
    if not service.scopes:
        return f"service '{service.name}' has no scopes; write []"
    return f"service '{service.name}' has no scope {_shown(scope)}"


def _service(field: str, name: str, reading: Reading) -> Service:
    service = reading.policy_set.services.get(name)
    own = reading.organization
    if own is not None and (service is None or not admits(service, own)):
        # The same for both: who asks does not learn what others have (attacks row 142).
        raise not_open(name, own)
    if service is None:
        text = f"there is no service {_shown(name)} among the `services` of the policy files"
        raise invalid(field, text)
    return service


def _read_ttl(_reading: Reading, name: str, value: object) -> int | None:
    return None if value is None else duration(name, value, minimum=1, maximum=MAX_TTL)


def _read_metadata(_reading: Reading, name: str, value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(name, "must be an object")
    for key, item in value.items():
        if not _NAME_OF_METADATA.fullmatch(key):
            raise invalid(name, "a name is 1 to 64 of printable ASCII without spaces")
        fault = _scalar_fault(item)
        if fault is not None:
            raise invalid(f"{name}.{key}", fault)
    if len(json.dumps(value, ensure_ascii=False).encode()) > MAX_METADATA_BYTES:
        raise invalid(name, f"is larger than {MAX_METADATA_BYTES} bytes as JSON")
    return value


def _scalar_fault(item: object) -> str | None:
    if not isinstance(item, (str, int)):
        return "must be a text, a whole number, true or false"
    if isinstance(item, int) and abs(item) > MAX_JSON_INTEGER:
        return "is too large for a number in JSON; send it as a text"
    if isinstance(item, str) and not item.isprintable():
        return "must have printable characters alone"
    return None


def _read_flag(_reading: Reading, name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise invalid(name, "must be true or false")
    return value


def _read_expiry(reading: Reading, name: str, value: object) -> float | None:
    return instant(name, value, reading.now)


def _read_networks(_reading: Reading, name: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    networks = []
    for text in texts(name, value, at_most=MAX_NETWORKS):
        try:
            networks.append(_network(text))
        except ValueError:
            raise invalid(name, _network_fault(text)) from None
    return tuple(dict.fromkeys(networks))


def _network(text: str) -> str:
    """Read a network that addresses can lie in. Raises `ValueError`."""
    network = ip_network(text)
    # What follows `%` means something to one machine alone, and could be any text of any length;
    # an IPv4 address within IPv6 is compared as the IPv4 address that it is.
    if "%" in text or getattr(network.network_address, "ipv4_mapped", None) is not None:
        raise ValueError("no address lies in it")
    return str(network)


def _network_fault(text: str) -> str:
    fault = f"{_shown(text)} is no network"
    try:
        whole = ip_network(text, strict=False)
    except ValueError:
        return f"{fault}, as 192.0.2.0/24 or 2001:db8::/32 are"
    return f"{fault}: the address goes on behind its prefix; write {whole}"


def _read_jwks(_reading: Reading, name: str, value: object) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise invalid(name, 'must be a JWKS object, as in {"keys": [...]}')
    document = json.dumps(value).encode()
    if len(document) > MAX_JWKS_BYTES:
        raise invalid(name, f"is larger than {MAX_JWKS_BYTES} bytes")
    try:
        skipped: Sequence[str] = read_jwks(document, ASYMMETRIC_ALGORITHMS).skipped
    except KeysRefused as refused:
        raise invalid(name, str(refused)) from None
    if skipped:
        raise invalid(name, skipped[0])
    return value


def _read_jwks_uri(reading: Reading, name: str, value: object) -> str | None:
    if value is None:
        return None
    fault = _uri_fault(value, reading.rules.jwks_hosts)
    if fault is not None:
        raise invalid(name, fault)
    return str(value)


def _uri_fault(value: object, hosts: Sequence[str]) -> str | None:
    """Say why keys are not fetched from there (attacks row 188), None if they may be."""
    form = "must be an https URL, as in https://keys.example.com/jwks.json"
    if not isinstance(value, str) or len(value) > MAX_URL:
        return form
    if (
        not value.isascii()
        or not value.isprintable()
        or any(mark in value for mark in ' \\"<>^`{|}')
    ):
        return form
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return form
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or "#" in value:
        return form
    if parts.hostname not in hosts:
        return "its host is none of those under `jwks_hosts` of the broker's configuration"
    return None


def _shown(text: str) -> str:
    """Cut and escape what a caller wrote, for the sentence that it gets back."""
    return ascii(text[:80])


_READERS: Final[Mapping[str, Callable[[Reading, str, object], Any]]] = {
    "name": _read_name,
    "description": _read_description,
    "grants": _read_grants,
    "ttl": _read_ttl,
    "max_ttl": _read_ttl,
    "metadata": _read_metadata,
    "secrets_allowed": _read_flag,
    "jwks": _read_jwks,
    "jwks_uri": _read_jwks_uri,
    "enabled": _read_flag,
    "expires_at": _read_expiry,
    "allowed_networks": _read_networks,
}
