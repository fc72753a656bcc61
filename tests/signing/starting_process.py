"""A process that starts a broker's keyring and says on stdout which keys it has.

Run as `python -m tests.signing.starting_process FOLDER ALGORITHM…`. It says that it is there, waits
for a line on stdin, opens the store, the master key and the keyring, and prints the key ids.
"""

import asyncio
import sys
from pathlib import Path

from broker.core.key_line import RotationRules
from broker.signing.key_upkeep import KeyUpkeep
from broker.signing.keyring import Keyring
from broker.signing.store_key import load_master_key
from broker.stores.sqlite import SqliteStore
from broker.system import SystemClock, UuidV7Identifiers


async def main(folder: Path, algorithms: list[str]) -> None:
    clock = SystemClock()
    store = await SqliteStore.open(folder / "broker.db", clock)
    master_key = await load_master_key(folder / "master.key", None, store, may_create=True)
    keyring = await Keyring.open(store, master_key, trusted_for=43_200)
    rules = RotationRules(tuple(algorithms), 30 * 86_400, 86_400, 60)
    await KeyUpkeep(store, keyring, rules, clock, UuidV7Identifiers()).keep_up()
    ids = sorted(key.key_id for key in keyring.current().keys)
    await store.close()
    sys.stdout.write(" ".join(ids))


if __name__ == "__main__":
    sys.stdout.write("there\n")
    sys.stdout.flush()
    sys.stdin.readline()
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
