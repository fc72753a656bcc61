"""Which hosts are this machine: the one place where plain HTTP is good enough."""

import ipaddress
from typing import Final

_LOOPBACK_V4: Final = ipaddress.ip_network("127.0.0.0/8")
_LOOPBACK_V6: Final = ipaddress.ip_address("::1")


def is_loopback(host: str) -> bool:
    """Tell whether a host, a name or an address in digits, stays on this machine.

    An IPv4 address inside an IPv6 one does not count: systems differ in where it leads.
    """
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address == _LOOPBACK_V6 or address in _LOOPBACK_V4
