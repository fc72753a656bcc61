"""The hosts that a credential helper answers for, and the service whose token each gets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from broker.client.errors import Misuse

_NAME: Final = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
_HOST: Final = re.compile(rf"({_NAME}(\.{_NAME})*|\[[0-9a-f:]+\])(:[1-9][0-9]{{0,4}})?")
_SERVICE: Final = re.compile(r"[\x21-\x7e]+")


class HostsRefused(Misuse):
    """BROKER_HOSTS cannot be read; the message says how to write it."""


@dataclass(frozen=True, slots=True)
class ListedHosts:
    """From a host, with its port if it has one, to a service.

    NOTE: a host is found as it is written, and in no other way: no suffix, no pattern, no case, no
    dot at its end, no port that goes without saying. Whatever else there is gets no token.
    """

    services: Mapping[str, str]

    def service_of(self, host: str) -> str | None:
        """Give the service of a host; None for one that is not listed."""
        return self.services.get(host)


def listed_hosts(text: str, *, default_service: str = "") -> ListedHosts:
    """Read `host=service,host:port=service`; a host alone is one of the default service.

    Raises `HostsRefused`.
    """
    services: dict[str, str] = {}
    for entry in filter(None, (each.strip() for each in text.split(","))):
        host, _, service = entry.partition("=")
        service = service or default_service
        if not _HOST.fullmatch(host):
            raise HostsRefused(
                f"BROKER_HOSTS: {host!a} is no host: write it as the tool does, in small letters, "
                "with a port only where the URL has one, as in git.example.com=git-api"
            )
        if not _SERVICE.fullmatch(service):
            raise HostsRefused(
                f"BROKER_HOSTS: which service is {host} of? Write {host}=SERVICE, or set "
                "BROKER_SERVICE"
            )
        if services.setdefault(host, service) != service:
            raise HostsRefused(f"BROKER_HOSTS: {host} is there twice")
    return ListedHosts(services)


def host_name(host: str) -> str:
    """Give a host without its port and without the brackets around an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
