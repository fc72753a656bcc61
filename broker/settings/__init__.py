"""The settings of a broker: `broker.yaml`, `BROKER_…` variables and options (contract §3)."""

from broker.settings.keys import KEYS
from broker.settings.loading import load
from broker.settings.model import (
    AuditSettings,
    MetricsSettings,
    Network,
    RateLimitSettings,
    Settings,
    SigningSettings,
    SqliteStoreLocation,
    TokenSettings,
)
from broker.settings.store_text import read_store

__all__ = [
    "KEYS",
    "AuditSettings",
    "MetricsSettings",
    "Network",
    "RateLimitSettings",
    "Settings",
    "SigningSettings",
    "SqliteStoreLocation",
    "TokenSettings",
    "load",
    "read_store",
]
