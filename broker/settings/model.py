"""What `broker.yaml` and the `BROKER_` variables say, as values that the rest of the broker reads.

Every duration is in seconds; every path is complete.
"""

from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from broker.core.delegation import Delegation
from broker.core.errors import Problem
from broker.core.limits import Rate
from broker.core.redis_address import RedisAddress
from broker.core.secret_text import Secret
from broker.settings.addresses import default_issuer

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class SqliteStoreLocation:
    """State is kept in one SQLite file."""

    path: Path

    @property
    def shown(self) -> str:
        """What messages name it by."""
        return str(self.path)


@dataclass(frozen=True, slots=True)
class SigningSettings:
    """Which algorithms the broker signs with, and how its keys follow one another."""

    algorithms: tuple[str, ...]
    rotate_every: int
    publish_before_use: int


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """How long a token lives where neither service, account nor policy says so."""

    ttl: int
    max_ttl: int


@dataclass(frozen=True, slots=True)
class RateLimitSettings:
    """How many requests are served; None is no limit."""

    client: Rate | None
    address: Rate | None
    failed: Rate | None

    def any(self) -> bool:
        """Tell whether anything is limited."""
        return (self.client, self.address, self.failed) != (None, None, None)


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """How long audit events stay in the store, and whether they also go to stdout."""

    retention: int
    stdout: bool


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Whether `/metrics` is open to everyone who reaches it."""

    public: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is configured outside the policy files (contract §3)."""

    issuer: str
    """The broker's public URL, compared byte for byte."""

    listen: tuple[str, int]
    """An IP address or `localhost`, and a port; port 0 lets the system choose."""

    policies: Path
    store: SqliteStoreLocation | RedisAddress
    master_key_file: Path
    master_key: Secret | None
    """The key itself when `BROKER_MASTER_KEY` gives it; then `master_key_file` is not read."""

    signing: SigningSettings
    tokens: TokenSettings
    secret_prefix: str
    max_accounts: int
    leeway: int
    trusted_proxies: tuple[Network, ...]
    jwks_hosts: tuple[str, ...]
    rate_limits: RateLimitSettings
    audit: AuditSettings
    metrics: MetricsSettings
    folders: tuple[Delegation, ...]
    """Which folders of the policies are delegated, by folder; the others may hold everything."""

    loopback: bool
    """Whether the issuer and every listen address are on this machine alone."""

    dev: bool
    policies_fault: Problem | None = None
    """Why the policy folder cannot be read now; for a broker that has no last good set."""

    admin_listen: tuple[str, int] | None = None
    """Where `/api/v1` answers, and nowhere else; None for the same place as all else."""

    traces_endpoint: str | None = None
    """The URL that spans are posted to; None for no tracing."""

    def bound_to(self, port: int, admin_port: int | None = None) -> "Settings":
        """Give the settings of a broker whose ports the system chose (those that are 0).

        An issuer that was derived from `listen` follows; one that was configured stays.
        """
        host, configured_port = self.listen
        derived = self.issuer == default_issuer((host, configured_port))
        issuer = default_issuer((host, port)) if derived else self.issuer
        admin_listen = self.admin_listen
        if admin_listen is not None and admin_port is not None:
            admin_listen = admin_listen[0], admin_port
        return replace(self, listen=(host, port), issuer=issuer, admin_listen=admin_listen)
