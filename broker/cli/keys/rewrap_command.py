"""`broker keys rewrap`."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli.common_options import AsJson, Config, Data
from broker.cli.endings import fail
from broker.cli.keys.opening import ACTOR, NEW_KEY_VARIABLE, OpenedKeys, run

if TYPE_CHECKING:
    from broker.signing.master_key import MasterKey


def rewrap(
    new_key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The new master key, instead of one that is made here."),
    ] = None,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Change the master key: all that is under the old one is put under a new one.

    The new key is made and written into `master_key_file`, unless --new-key-file or the variable
    BROKER_NEW_MASTER_KEY brings one. Brokers that run refuse everything until they are started
    again with it.
    """
    given = os.environ.get(NEW_KEY_VARIABLE)
    if given is not None and new_key_file is not None:
        fail(f"--new-key-file: {NEW_KEY_VARIABLE} is set, too; use one of them")

    async def work(opened: OpenedKeys) -> Path | None:
        return await _rewrap(opened, new_key_file, given)

    file = run("rewrap", config, data, work)
    if as_json:
        typer.echo(json.dumps({"master_key_file": None if file is None else str(file)}))
    else:
        typer.echo("the store is under the new master key")
    where = f"it is in {file}" if file else "put it in the place of the old one now"
    typer.echo(f"broker: {where}; start every broker of this store again", err=True)


async def _rewrap(opened: OpenedKeys, new_key_file: Path | None, given: str | None) -> Path | None:
    """Change the key; give the file that it is in now, None when it was not ours to write."""
    from broker.reload.seal import KEY_PURPOSE, Seal
    from broker.signing.key_record import key_event
    from broker.signing.rewrap import Rewrap
    from broker.system import SystemClock, UuidV7Identifiers

    old = opened.master_key
    new = _new_key(opened, new_key_file, given)
    before, after = Seal(old.derive(KEY_PURPOSE)), Seal(new.derive(KEY_PURPOSE))

    def reseal(version: str, content: bytes) -> bytes | None:
        packed = before.take_off(version, content)
        return None if packed is None else after.put_on(version, packed)

    now = SystemClock().now()
    event = key_event(
        "key.rewrapped",
        "master key",
        {},
        actor=ACTOR,
        now=now,
        event_id=UuidV7Identifiers().new(now),
    )
    change = Rewrap(old, new, reseal)
    brought = new_key_file is not None or given is not None
    file = opened.settings.master_key_file
    if opened.settings.master_key is not None or (brought and not os.access(file.parent, os.W_OK)):
        await change.in_store(opened.store, event)
        return None
    await change.in_file(file, opened.store, event)
    return file


def _new_key(opened: OpenedKeys, new_key_file: Path | None, given: str | None) -> "MasterKey":
    from broker.signing import master_key_file
    from broker.signing.master_key import MasterKey, master_key_fault

    if given is not None:
        source, new = NEW_KEY_VARIABLE, MasterKey.from_text(given, NEW_KEY_VARIABLE)
    elif new_key_file is not None:
        text = master_key_file.read(new_key_file)
        if text is None:
            raise master_key_fault(str(new_key_file), "is missing: there is no such file")
        source, new = str(new_key_file), MasterKey.from_text(text, str(new_key_file))
    elif opened.settings.master_key is not None:
        what = "comes from a variable, so bring the new one: --new-key-file or " + NEW_KEY_VARIABLE
        raise master_key_fault("BROKER_MASTER_KEY", what)
    else:
        return MasterKey.generate()
    if new.text() == opened.master_key.text():
        raise master_key_fault(source, "is the old one: bring another")
    return new
