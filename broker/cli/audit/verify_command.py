"""`broker audit verify`: whether the chain is whole, against heads that were kept elsewhere."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final

import typer

from broker.cli.audit.opening import head_key_of, settings_of, store_of
from broker.cli.common_options import AsJson, Config, Data
from broker.cli.endings import fail, server_extra, told_plainly
from broker.cli.terminal import progress, show, signed

if TYPE_CHECKING:
    from broker.core.audit_chain import ChainReport, Link
    from broker.core.audit_head import Checkpoint, HeadVerifier

_BROKEN: Final = 1
_SHOWN_LINES: Final = 5
_MAX_KEY_BYTES: Final = 4096
Advance = Callable[[int], None]


def verify(
    *,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="An export, or - for stdin; without it the configured store.",
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Heads kept elsewhere, one a line; other lines, such as events, are passed over.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The public key of the heads, from `broker audit head --public-key`; without it"
            " that of the configured store.",
        ),
    ] = None,
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Verify every event: exit 0 when the chain is whole, 1 when it is not, 2 when unreadable."""
    with server_extra("audit verify"), told_plainly():
        kept: Checkpoint | None = None
        verifier = _read_key(key) if key is not None else None
        if checkpoint is not None:
            verifier = verifier or _store_key(config, data)
            kept = _read_checkpoint(checkpoint, verifier)
        report = (
            _verify_store(config, data, verifier, kept) if not file else _verify_file(file, kept)
        )
    whole = report.ok and not (kept and kept.refused)
    if as_json:
        refused = [] if kept is None else kept.refused
        members = report.as_json() | {"ok": whole}
        members["heads_refused"] = [{"line": each.number, "why": each.why} for each in refused]
        typer.echo(json.dumps(members))
    else:
        show(signed("".join(f"{line}\n" for line in _lines(report, kept, whole=whole))))
    raise typer.Exit(0 if whole else _BROKEN)


def _lines(report: "ChainReport", kept: "Checkpoint | None", *, whole: bool) -> Iterator[str]:
    yield "[ok] the chain is whole" if whole else "[no] the chain is not to be trusted"
    if report.fault is not None:
        yield f"first broken: event {report.first_broken}"
        yield report.fault
    begin, end = report.begins_after.sequence, report.ends_at
    span = "" if end is None else f", from {begin + 1} to {end.sequence}"
    yield f"events read: {report.events}{span}"
    if end is not None:
        yield f"hash of the last one: {end.hash}"
    if report.erased:
        yield f"claims erased: {report.erased} events"
    if kept is None:
        yield "without --checkpoint neither a cut tail nor a rebuilt chain can be found"
        return
    yield f"heads that hold: {report.heads}"
    if report.heads_before:
        yield f"heads from before event {begin + 1}, not to be compared: {report.heads_before}"
    for each in kept.refused[:_SHOWN_LINES]:
        yield f"[no] line {each.number} of the checkpoint is not believed: {each.why}"
    if len(kept.refused) > _SHOWN_LINES:
        yield f"[no] and {len(kept.refused) - _SHOWN_LINES} more such lines"


def _verify_store(
    config: Path | None, data: Path, verifier: "HeadVerifier | None", kept: "Checkpoint | None"
) -> "ChainReport":
    from broker.audit.verification import KeyNeeded, verify_log

    store = store_of(settings_of(config, data))
    heads = kept.heads if kept else ()

    async def run(verifier: "HeadVerifier | None") -> "ChainReport":
        end = await store.chain_end()
        first = (await store.chain_page(0, 1)).events
        length = end.sequence - first[0].sequence + 1 if end and first else 0
        with progress(length, "verifying") as advance:
            return await verify_log(store, verifier, heads, advance)

    try:
        return asyncio.run(run(verifier))
    except KeyNeeded:
        return asyncio.run(run(_store_key(config, data)))


def _verify_file(file: Path, kept: "Checkpoint | None") -> "ChainReport":
    from broker.core.audit_chain import verify_chain

    with _opened(file) as source:
        length = 0 if source is sys.stdin.buffer else os.fstat(source.fileno()).st_size
        with progress(length, "verifying") as advance:
            links = _links(source, file, advance)
            report = verify_chain(links, kept.heads if kept else (), begins_after=None)
    if not report.events:
        fail(f"{file}: holds no event")
    return report


def _links(source: Iterable[bytes], file: Path, advance: Advance) -> "Iterator[Link]":
    from broker.core.audit_chain import LineRefused, link_of_line
    from broker.core.audit_head import is_head_line

    for number, line in enumerate(source, start=1):
        advance(len(line))
        # What a broker prints holds heads between the events.
        if line.isspace() or is_head_line(line):
            continue
        try:
            yield link_of_line(line)
        except LineRefused as error:
            fail(f"{file}: line {number} {error}")


def _read_checkpoint(file: Path, verifier: "HeadVerifier") -> "Checkpoint":
    from broker.core.audit_head import read_checkpoint

    with _opened(file) as source:
        kept = read_checkpoint(source, verifier)
    if not kept.heads and not kept.refused:
        fail(f'--checkpoint: {file} holds no head; a head is a line with `"type":"audit.head"`')
    return kept


def _read_key(file: Path) -> "HeadVerifier":
    from broker.core.audit_head import HeadRefused, HeadVerifier

    with _opened(file) as source:
        text = source.read(_MAX_KEY_BYTES)
    try:
        jwk: Any = json.loads(text)
        return HeadVerifier.of_jwk(jwk)
    except HeadRefused as error:
        fail(f"--key: {file}: {error}")
    except ValueError:
        fail(f"--key: {file}: it is not JSON")


def _store_key(config: Path | None, data: Path) -> "HeadVerifier":
    from broker.core.errors import ConfigurationError

    settings = settings_of(config, data)
    store = store_of(settings)
    try:
        return asyncio.run(head_key_of(settings, store)).verifier()
    except ConfigurationError:
        typer.echo("broker: heads need the master key, or their public key in --key", err=True)
        raise


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        source = file.open("rb")
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}")
    with source:
        yield source
