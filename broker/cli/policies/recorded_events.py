"""Where recorded decisions come from: an export, the configured store, or a broker's API."""

import asyncio
import gzip
import io
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, cast

import typer

from broker.cli.audit.opening import instant, settings_of, store_of
from broker.cli.endings import USAGE, fail
from broker.cli.pipeline.asking import Asked, source_of
from broker.cli.policies.uncollected import uncollected
from broker.cli.terminal import progress
from broker.core.simulation.export_lines import MAX_LINE_BYTES

if TYPE_CHECKING:
    from broker.core.indexed_policies import IndexedPolicies
    from broker.core.managed_account import ManagedAccount
    from broker.core.policy import PolicySet

Take = Callable[[Mapping[str, Any], int | None], None]
"""Takes the members of an event, and the bytes of its line. Raises `EventRefused`."""

STORE: Final = "store"
"""Stands for the events of the configured store; a file of this name is `./store`."""

ACCOUNTS_OF_NOW: Final = "accounts made or switched off through the API count as they are now"
"""Said where decisions are made again, of events of the store."""

_GZIP: Final = b"\x1f\x8b"
_PAGE: Final = 1000
_BUFFER: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when decisions count; seconds since the epoch, None without a bound."""

    since: float | None = None
    until: float | None = None

    @classmethod
    def read(cls, since: str | None, until: str | None) -> "Span":
        """Read the options. Ends the command when one is no time, or nothing is between them."""
        span = cls(instant("--since", since), instant("--until", until))
        if span.since is not None and span.until is not None and span.since >= span.until:
            fail(f"--until: {until} is not after --since {since}: nothing would be read")
        return span

    def has(self, event: Mapping[str, Any]) -> bool:
        """Tell whether an event is within. Raises `EventRefused`."""
        from broker.core.simulation.past_decision import event_time

        if self.since is None and self.until is None:
            return True
        at = event_time(event)
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known beside the files: a set with the accounts of a store, and that in force."""

    policy_set: "PolicySet"
    base: "IndexedPolicies | None" = None
    all_accounts: bool = False


class RecordedEvents(Protocol):
    """Some events on record, the oldest first or the newest."""

    def feed(self, take: Take) -> None:
        """Have every event taken. Ends the command with 2 at the first that is none."""
        ...

    def surroundings(self, policy_set: "PolicySet") -> Surroundings:
        """Give what is known where the events are."""
        ...

    def notes(self) -> list[str]:
        """Say what a reader has to know of them, once they were fed."""
        ...


class ExportedEvents:
    """The events of an export, plain or compressed by gzip."""

    def __init__(self, file: str, span: Span) -> None:
        self._file = file
        self._span = span
        self._chained: bool | None = None

    def feed(self, take: Take) -> None:
        """Read line by line, and hold each against the chain."""
        from pydantic_core import from_json

        from broker.core.audit_chain import LineRefused
        from broker.core.simulation.export_lines import ExportLines
        from broker.core.simulation.past_decision import EventRefused

        # Python's own decoder takes twice as long.
        reading = ExportLines(quickly=partial(from_json, allow_inf_nan=False, cache_strings="keys"))
        number = 0
        with self._opened() as (raw, source), self._progress(raw) as told, uncollected():
            try:
                for line in _lines(source):
                    number += 1
                    told()
                    event = reading.event(line)
                    if event is not None and self._span.has(event):
                        take(event, len(line))
            except LineRefused as error:
                fail(f"{self._file}: line {number} {error}")
            except EventRefused as error:
                fail(f"{self._file}: line {number} is no event of a broker: {error}")
            except (EOFError, gzip.BadGzipFile, zlib.error):
                fail(f"{self._file}: line {number + 1} is cut off: it is no whole gzip file")
        if reading.chained is None:
            fail(f"{self._file}: holds no event")
        self._chained = reading.chained

    def surroundings(self, policy_set: "PolicySet") -> Surroundings:
        """Know nothing but the files."""
        return Surroundings(policy_set)

    def notes(self) -> list[str]:
        """Say whether the events were held against each other."""
        if self._chained:
            return []
        return ["the events have no `seq`, `prev` and `hash`: whether they are whole is not known"]

    @contextmanager
    def _opened(self) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        if self._file == "-":
            if sys.stdin is None:
                fail("--against: stdin is closed")
            # With a buffer of our own, since what stands for stdin need not be able to peek.
            piped = io.BufferedReader(cast("io.RawIOBase", sys.stdin.buffer), _BUFFER)
            begin = piped.peek(len(_GZIP))[: len(_GZIP)]
            yield sys.stdin.buffer, _unzipped(piped) if begin == _GZIP else piped
            return
        try:
            raw = Path(self._file).open("rb", _BUFFER)  # noqa: SIM115 - it is closed below
        except OSError as error:
            fail(f"--against: {self._file} cannot be read: {error.strerror}")
        with raw:
            zipped = raw.read(len(_GZIP)) == _GZIP
            raw.seek(0)
            yield raw, _unzipped(raw) if zipped else raw

    @contextmanager
    def _progress(self, raw: IO[bytes]) -> Iterator[Callable[[], None]]:
        """Tell how far a file was read; of stdin that is not known."""
        length = 0 if raw is sys.stdin.buffer else os.fstat(raw.fileno()).st_size
        with progress(length, "reading") as advance:
            done = calls = 0

            def told() -> None:
                nonlocal done, calls
                calls += 1
                if length and calls % _PAGE == 0:
                    at = raw.tell()
                    advance(at - done)
                    done = at

            yield told


def _unzipped(source: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=source))


def _lines(source: IO[bytes]) -> Iterator[bytes]:
    while line := source.readline(MAX_LINE_BYTES + 1):
        yield line


class StoredEvents:
    """The events of the configured store, beside a running broker or without one."""

    def __init__(self, config: Path | None, data: Path, span: Span) -> None:
        """Open the store for reading. Raises `ConfigurationError`."""
        self._settings = settings_of(config, data)
        self._store = store_of(self._settings)
        self._span = span

    def feed(self, take: Take) -> None:
        """Read page by page; each event is held against its hash. Raises `Unavailable`."""
        from broker.core.simulation.past_decision import EventRefused
        from broker.ports import EventFilter

        wanted = EventFilter(since=self._span.since, until=self._span.until)
        end = asyncio.run(self._store.chain_end())
        if end is None:
            fail("the store holds no event yet")
        after = 0
        with progress(end.sequence, "reading") as advance, uncollected():
            while page := asyncio.run(self._store.find_events(wanted, after=after, limit=_PAGE)):
                for event in page:
                    link = event.link()
                    if not link.fits or not link.claims_fit:
                        fail(f"event {event.sequence} was changed; see `broker audit verify`")
                    try:
                        take(event.members(), len(event.covered) + len(event.claims))
                    except EventRefused as error:
                        fail(f"event {event.sequence} is no event of a broker: {error}")
                advance(page[-1].sequence - after)
                after = page[-1].sequence

    def surroundings(self, policy_set: "PolicySet") -> Surroundings:
        """Know the accounts of the store as they are now, and the set that ran last."""
        return asyncio.run(self._surroundings(policy_set))

    async def _surroundings(self, policy_set: "PolicySet") -> Surroundings:
        from broker.cli.audit.opening import master_key_of
        from broker.core.accounts_in_force import with_accounts
        from broker.core.indexed_policies import IndexedPolicies
        from broker.reload.kept_sets import KeptSetsReading
        from broker.reload.reading import PolicyReader
        from broker.reload.seal import KEY_PURPOSE, Seal
        from broker.reload.sources import DeploymentParameters
        from broker.signing.sealed_accounts import SealedAccountsReading
        from broker.signing.sealed_rows import SealedBox
        from broker.system import SystemClock

        settings, store = self._settings, self._store
        master_key = await master_key_of(settings, store)
        accounts = SealedAccountsReading(store, SealedBox(master_key))
        made: list[ManagedAccount] = []
        page = await accounts.accounts(limit=_PAGE)
        made += page.accounts
        while page.next_after is not None:
            page = await accounts.accounts(after=page.next_after, limit=_PAGE)
            made += page.accounts
        overrides = await accounts.account_overrides()
        parameters = DeploymentParameters(
            broker_issuer=settings.issuer,
            ttl=settings.tokens.ttl,
            max_ttl=settings.tokens.max_ttl,
            signing_algorithms=settings.signing.algorithms,
            loopback=settings.loopback,
            dev_issuers=None,
            folders=settings.folders,
        )
        reader = PolicyReader(settings.policies, parameters, SystemClock())
        kept = KeptSetsReading(store, Seal(master_key.derive(KEY_PURPOSE)), reader)
        version = await kept.last_version()
        last = None if version is None else await kept.find(version, at_start=True)
        base = None if last is None else IndexedPolicies.of(last)
        return Surroundings(with_accounts(policy_set, made, overrides, time.time()), base, True)

    def notes(self) -> list[str]:
        """Say of when the accounts are."""
        return [ACCOUNTS_OF_NOW]


class ServedEvents:
    """The events that a broker's API gives, by a token of this job or account."""

    def __init__(self, asked: Asked, span: Span) -> None:
        """Find out who asks. Raises `ClientError`."""
        self._source = source_of(asked)
        self._span = span

    def feed(self, take: Take) -> None:
        """Ask page by page, the newest first. Raises `ClientError`."""
        from broker.client.audit_pages import audit_pages
        from broker.core.audit import rfc3339
        from broker.core.simulation.past_decision import EventRefused

        bounds = {
            "start_date": self._span.since,
            "end_date": time.time() if self._span.until is None else self._span.until,
        }
        filters = {name: rfc3339(at) for name, at in bounds.items() if at is not None}
        seen = 0
        for page in audit_pages(self._source, filters):
            for event in page:
                try:
                    take(event, None)
                except EventRefused as error:
                    fail(f"the broker gave what is no event: {error}")
            seen += len(page)
            if sys.stderr.isatty():
                typer.echo(f"\rreading: {seen:,} events", nl=False, err=True)
        if sys.stderr.isatty():
            typer.echo("", err=True)

    def surroundings(self, policy_set: "PolicySet") -> Surroundings:
        """Know nothing but the files."""
        return Surroundings(policy_set)

    def notes(self) -> list[str]:
        """Say nothing."""
        return []


def opened(
    against: str | None, span: Span, asked: Asked, config: Path | None, data: Path
) -> RecordedEvents:
    """Choose where events come from. Raises `ConfigurationError` and `ClientError`."""
    if asked.url:
        if against is not None:
            fail("--against and --server contradict each other")
        return ServedEvents(asked, span)
    if against is None:
        fail("say what was decided: --against an export, or `store`; or --server URL", code=USAGE)
    return StoredEvents(config, data, span) if against == STORE else ExportedEvents(against, span)
