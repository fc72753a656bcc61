"""Terraform's and OpenTofu's protocol with their credentials helpers."""

from typing import Final

from broker.client.credential_helpers.hosts import ListedHosts

NONE: Final = "{}\n"
"""There is no credential for this host; the tool goes on without."""


def service_for(host: str, hosts: ListedHosts) -> str | None:
    """Give the service whose token this host may have; None for no token.

    The tool writes a host in small letters, with its port unless it is 443.
    """
    return hosts.service_of(host)
