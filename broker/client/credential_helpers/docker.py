"""Docker's protocol with its credential helpers (docker-credential-helpers)."""

from typing import Final

from broker.client.credential_helpers.hosts import ListedHosts, host_name
from broker.core.loopback import is_loopback

NOT_FOUND: Final = "credentials not found in native keychain"
"""What Docker takes for "ask without a credential", with a status other than 0."""


def server(text: str) -> str:
    """Give the server that Docker asks about, as it wrote it: one line on stdin."""
    return text.removesuffix("\n").removesuffix("\r")


def service_for(server: str, hosts: ListedHosts) -> str | None:
    """Give the service whose token this server may have; None for no token.

    Docker writes a host for registries, and a URL for some of old, as `https://index.docker.io/v1/`.
    """
    if not server.isprintable():
        return None
    scheme, separator, rest = server.partition("://")
    if not separator:
        return hosts.service_of(server)
    host = rest.partition("/")[0]
    secure = scheme == "https" or (scheme == "http" and is_loopback(host_name(host)))
    return hosts.service_of(host) if secure else None
