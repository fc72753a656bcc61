"""`broker store copy`."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from broker.cli.common_options import AsJson, Config, Data
from broker.cli.endings import fail, server_extra, told_plainly
from broker.cli.store.proving import prove
from broker.cli.store.succession import last_issue, succession_event
from broker.cli.store.telling import head_members, tell, told_if_interrupted
from broker.cli.terminal import progress

if TYPE_CHECKING:
    from broker.stores.opening import StoreLocation

_MAX_FILE_BYTES: Final = 4096


def copy(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[TARGET]",
            help="As the key `store`: sqlite:PATH, or a redis:// URL without a password.",
            show_default=False,
        ),
    ] = None,
    *,
    to_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="The variable that holds the target.")
    ] = None,
    to_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file that holds the target.", readable=False),
    ] = None,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Copy the configured store to another place, of either kind, which must be absent or empty.

    Stop the brokers first, and start them with the new `store`. CI tokens for one use that were
    issued before are refused there, unless it is certain that no broker had the store open.
    """
    if [target, to_env, to_file].count(None) != 2:  # noqa: PLR2004 - one of three
        fail("name the target once: TARGET, --to-env NAME or --to-file FILE")
    with server_extra("store copy"), told_plainly(), told_if_interrupted():
        facts = asyncio.run(_copied(config, data, target, to_env, to_file))
    tell(as_json=as_json, **facts)
    refused = facts["refused_until"]
    told = (
        "every CI token that was used is known there"
        if refused is None
        else f"CI tokens for one use that were issued before {refused} are refused there"
    )
    typer.echo(f"broker: {told}; start no broker on {facts['source']} any more", err=True)


async def _copied(
    config: Path | None,
    data: Path,
    given: str | None,
    to_env: str | None,
    to_file: Path | None,
) -> dict[str, Any]:
    from broker.copying.transfer import Succession, Transfer
    from broker.core.audit import rfc3339
    from broker.settings import load
    from broker.stores.opening import bytes_of, open_contents, open_draft, same_place
    from broker.system import SystemClock

    target = _target(given, to_env, to_file)
    # The name may begin as those of settings do, and is none.
    environment = {name: value for name, value in os.environ.items() if name != to_env}
    folder = Path.cwd()
    settings = load(config, environment, data_dir=data, working_directory=folder, serving=False)
    source = settings.store
    if same_place(source, target):
        fail(f"{target.shown} is the configured store itself: name another place")
    clock = SystemClock()
    proving = await prove(settings, source)
    quiet = _Quiet(source)
    refused: list[int] = []

    async def refused_until() -> int:
        still = await quiet.still()
        refused.append(0 if still else last_issue(clock.now(), settings.leeway))
        return refused[-1]

    with progress(2 * proving.events, "copying") as advance:
        draft = open_draft(target, needed=bytes_of(source))
        transfer = Transfer(open_contents(source), draft, target.shown, proving.proof, advance)
        event = succession_event("store.copied", target.shown)
        verified = await transfer.run(Succession(event, refused_until))
    return {
        "source": source.shown,
        "target": target.shown,
        "verified": verified,
        "head": head_members(verified, proving.head_key, clock.now()),
        "seals": proving.proof is not None,
        "refused_until": rfc3339(refused[-1]) if refused[-1] else None,
    }


class _Quiet:
    """Whether it is certain that nobody used a store while it was copied."""

    def __init__(self, location: "StoreLocation") -> None:
        self._location = location
        self._marks = self._seen()

    async def still(self) -> bool:
        """Tell whether nobody has it open, and nobody had."""
        return self._marks is not None and self._seen() == self._marks

    def _seen(self) -> object:
        """Give what every write changes; None where somebody may write."""
        from broker.core.errors import ConfigurationError
        from broker.stores.opening import marks_in_nobody_s_use

        try:
            return marks_in_nobody_s_use(self._location)
        except ConfigurationError:
            return None


def _target(given: str | None, to_env: str | None, to_file: Path | None) -> "StoreLocation":
    """Read where to copy to. Raises `ConfigurationError`."""
    from broker.core.redis_address import RedisAddress
    from broker.settings import read_store

    if to_env is not None:
        text = os.environ.get(to_env)
        if text is None:
            fail(f"--to-env: there is no variable {to_env}")
        return read_store(text, to_env, Path.cwd())
    if to_file is not None:
        try:
            with to_file.open("rb") as stream:
                content = stream.read(_MAX_FILE_BYTES)
        except OSError as error:
            fail(f"--to-file: {to_file} cannot be read: {error.strerror}")
        text = content.decode(errors="replace").strip()
        return read_store(text, str(to_file), to_file.parent)
    location = read_store(given or "", "TARGET", Path.cwd())
    if isinstance(location, RedisAddress) and (location.login or location.sentinel_login):
        fail(
            "TARGET: a command line is no place for a password, since others see it:"
            " --to-env NAME or --to-file FILE"
        )
    return location
