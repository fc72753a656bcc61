"""Where the broker is found and whom it knows by address: issuer, listen, networks, hosts.

What is wrong with a text is said without repeating an issuer, which may hold a password.
"""

import ipaddress
import re
from typing import Final

from broker.settings.kinds import Unusable, shown

MAX_ISSUER_LENGTH: Final = 255
MAX_PORT: Final = 65_535

_HOST_AND_PORT: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::(0|[1-9][0-9]{0,4}))?")
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")


def issuer_url(text: str) -> str:
    """Check the broker's own URL (RFC 8414 §2, OpenID Connect Discovery §3).

    Whatever clients might normalize is refused: tokens carry the issuer byte for byte. Whether
    `http` is allowed depends on the listen address and is decided elsewhere. Raises `Unusable`.
    """
    scheme, separator, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    fault = None
    if not separator or scheme.lower() not in {"http", "https"}:
        fault = "not a URL such as https://broker.example.com"
    elif not text.isascii() or not text.isprintable() or " " in text:
        fault = (
            "a URL is written in ASCII without spaces; write a host of another alphabet as xn--…"
        )
    elif "#" in text:
        fault = "an issuer has no fragment; delete `#` and what follows it"
    elif "?" in text:
        fault = "an issuer has no query; delete `?` and what follows it"
    elif "@" in authority:
        fault = "an issuer holds no user name or password; delete what stands before `@`"
    elif text.endswith("/"):
        fault = "it ends with a slash; delete that, for an issuer is compared byte for byte"
    elif (scheme + authority).lower() != scheme + authority:
        fault = "write scheme and host in lower case"
    elif _PATH.fullmatch(slash + path) is None or {".", ".."} & set(path.split("/")):
        fault = "a path is made of A-Z a-z 0-9 . _ ~ - between single slashes, without `.` or `..`"
    elif len(text) > MAX_ISSUER_LENGTH:
        fault = f"longer than {MAX_ISSUER_LENGTH} characters; every token carries it"
    if fault is not None:
        raise Unusable(fault)
    _check_authority(authority)
    return text


def collector_url(text: str) -> str:
    """Check the URL of a collector; nothing of it is shown. Raises `Unusable`."""
    scheme, separator, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    fault = None
    if not separator or scheme not in {"http", "https"}:
        fault = "not a URL such as http://127.0.0.1:4318"
    elif "@" in authority:
        fault = "a URL of a collector holds no password; put that into OTEL_EXPORTER_OTLP_HEADERS"
    elif "?" in text or "#" in text:
        fault = "a URL of a collector has no query or fragment"
    elif _PATH.fullmatch((slash + path).removesuffix("/")) is None:
        fault = "a path is made of A-Z a-z 0-9 . _ ~ - between slashes"
    if fault is not None:
        raise Unusable(fault)
    _check_authority(authority)
    return text


def listen_address(text: str) -> tuple[str, int]:
    """Read `HOST:PORT`; an IPv6 address stands in brackets. Raises `Unusable`."""
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None or not found[1] or found[2] is None or int(found[2]) > MAX_PORT:
        raise Unusable(
            f"{shown(text)} is not HOST:PORT; write 127.0.0.1:8080, [::1]:8080, or 0.0.0.0:8080"
            " for every address of this machine"
        )
    host, port = found[1], int(found[2])
    if host == "localhost":
        return host, port
    bracketed = host.startswith("[")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        address = None
    if address is None or bracketed is not (address.version == 6) or "%" in host:  # noqa: PLR2004
        raise Unusable(f"{shown(host)} is no IP address and not localhost; name an address")
    return str(address), port


def default_issuer(listen: tuple[str, int]) -> str:
    """Give the issuer of a broker that is reached where it listens."""
    host, port = listen
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def host_of(issuer: str) -> str:
    """Give the host of an issuer that `issuer_url` accepted, without brackets."""
    found = _HOST_AND_PORT.fullmatch(issuer.split("/")[2])
    return found[1].strip("[]") if found else ""


def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Read an address or a network in CIDR form. Raises `Unusable`."""
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        found = None
    if found is None or "%" in text:
        raise Unusable(f"{shown(text)} is no IP address or network such as 10.0.0.0/8")
    if found.prefixlen == 0:
        # Every client could then name any address as its own (attacks rows 123, 177).
        raise Unusable(f"{shown(text)} is everyone; name the networks of the proxies")
    if ipaddress.ip_address(text.partition("/")[0]) != found.network_address:
        raise Unusable(f"{shown(text)} is an address inside a network; write {found}")
    return found


def host_name(text: str) -> str:
    """Check a host without scheme, port or path. Raises `Unusable`."""
    if text != text.lower():
        raise Unusable(f"write {shown(text)} in lower case")
    if "*" in text:
        raise Unusable(f"{shown(text)}: no wildcards; name every host")
    _check_host(f"[{text}]" if text.count(":") > 1 else text)
    return text


def _check_authority(authority: str) -> None:
    found = _HOST_AND_PORT.fullmatch(authority)
    if found is None or found[2] == "0" or int(found[2] or 1) > MAX_PORT:
        raise Unusable("what follows the host is no port from 1 to 65535")
    _check_host(found[1])


def _check_host(host: str) -> None:
    if host.startswith("["):
        try:
            usual = str(ipaddress.IPv6Address(host.strip("[]")))
        except ValueError:
            usual = ""
        if f"[{usual}]" != host or "%" in host:
            hint = f"; write [{usual.partition('%')[0]}]" if usual else ""
            raise Unusable(f"{shown(host)} is no IPv6 address in its usual form{hint}")
        return
    if _HOST_NAME.fullmatch(host) is None:
        raise Unusable(f"{shown(host)} is no host name")
    last = host.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise Unusable(f"{shown(host)} is no IPv4 address in its usual form") from None
