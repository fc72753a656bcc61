"""Settings in, a running broker out: the only room that knows every class but the server's."""

from broker.bootstrap.measured import Measured
from broker.bootstrap.starting import Broker, Worker, running
from broker.bootstrap.store_parts import (
    load_store_key,
    open_registry,
    open_signing_keys,
    policy_parameters,
)

__all__ = [
    "Broker",
    "Measured",
    "Worker",
    "load_store_key",
    "open_registry",
    "open_signing_keys",
    "policy_parameters",
    "running",
]
