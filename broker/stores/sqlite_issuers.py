"""Issuers that were switched off beside the files that configure them."""

import apsw

from broker.stores.sqlite_state import raise_epoch

_OFF = "INSERT OR IGNORE INTO issuers_off VALUES (?)"
_ON = "DELETE FROM issuers_off WHERE name = ?"
_LIST = "SELECT name FROM issuers_off ORDER BY name"


def switch(connection: apsw.Connection, name: str, *, enabled: bool) -> bool:
    """Switch an issuer, in a transaction that the caller began; tell whether that changed it."""
    connection.execute(_ON if enabled else _OFF, (name,))
    if not connection.changes():
        return False
    raise_epoch(connection)
    return True


def switched_off(connection: apsw.Connection) -> list[str]:
    """Name those that are switched off."""
    return [name for (name,) in connection.execute(_LIST)]
