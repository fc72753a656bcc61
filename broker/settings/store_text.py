"""The place of a store that is given beside the configuration, in the words of its key `store`."""

from dataclasses import replace
from pathlib import Path

from broker.core.errors import ConfigurationError, Problem
from broker.core.redis_address import RedisAddress
from broker.settings import keys
from broker.settings.kinds import Unusable
from broker.settings.model import SqliteStoreLocation


def read_store(text: str, source: str, base: Path) -> SqliteStoreLocation | RedisAddress:
    """Read the text of a store; `source` is what messages name, relative paths are below `base`.

    Raises `ConfigurationError`, which repeats nothing of the text: it may hold a password.
    """
    try:
        return located(keys.STORE.accept(text), base)
    except Unusable as refused:
        problems = [Problem(source, 0, 0, fault.message) for fault in refused.faults]
        raise ConfigurationError(problems) from None


def located(chosen: str | RedisAddress, base: Path) -> SqliteStoreLocation | RedisAddress:
    """Give the place of a store, of which relative paths are below `base`."""
    if isinstance(chosen, str):
        return SqliteStoreLocation(base / chosen)
    if chosen.ca_file is None:
        return chosen
    return replace(chosen, ca_file=str(base / chosen.ca_file))
