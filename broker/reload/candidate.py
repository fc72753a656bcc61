"""Changed policy files, tried on the decisions on record; nothing of it comes into force.

The files in force are taken from where the set of them is kept, so that a candidate reads nothing
from the disk, and names no file that they do not name. One simulation at a time, of the newest
events, a slice at a time: exchanges come first.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath
from time import monotonic
from typing import Final

from broker.core.accounts_in_force import with_accounts
from broker.core.audit import AuditEvent
from broker.core.audit_chain import StoredEvent
from broker.core.errors import Reason, Unavailable
from broker.core.indexed_policies import IndexedPolicies
from broker.core.managed_account import ManagedAccount
from broker.core.policy import PolicySet
from broker.core.printable import printable
from broker.core.simulation.outcome import Kind
from broker.core.simulation.past_decision import EventRefused
from broker.core.simulation.simulation import Simulation
from broker.core.steps import Steps
from broker.ports import (
    AccountReading,
    AuditLog,
    CandidateRefused,
    Clock,
    Entry,
    EventFilter,
    Identifiers,
    Ledger,
    PolicySource,
    Rejected,
    Simulated,
)
from broker.reload.kept_sets import KeptSets
from broker.reload.reading import PolicyReader, Refused
from broker.reload.slices import finish_in_slices, serving
from broker.reload.sources import PolicySources

MAX_FILES: Final = 1000
MAX_EVENTS: Final = 100_000
"""How many events are decided for one request, the newest of those asked for."""

MAX_SECONDS: Final = 30.0
"""After which no more are."""

PAGE: Final = 500
MAX_ACCOUNTS: Final = 10_000
NAMED_FILES: Final = 50
_SUFFIXES: Final = (".yaml", ".yml")
_DEV: Final = "dev"


@dataclass(frozen=True, slots=True)
class CandidateSimulation:
    """Simulates changed files on the events of a store; implements the port `PolicySimulation`."""

    policies: PolicySource
    kept: KeptSets
    reader: PolicyReader
    accounts: AccountReading
    log: AuditLog
    ledger: Ledger
    clock: Clock
    identifiers: Identifiers
    max_events: int = MAX_EVENTS
    _under_way: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def simulate(
        self,
        files: Mapping[str, str | None],
        *,
        since: float | None,
        until: float | None,
        actor: str,
    ) -> Simulated | Rejected:
        """Decide once more what is on record; recorded before anything of it is told.

        Raises `CandidateRefused` and `Unavailable`.
        """
        if self._under_way.locked():
            raise _unavailable("a simulation is under way; ask again when it has ended", 10)
        async with self._under_way:
            found = await self._simulate(files, since, until)
            await self._record(files, found, actor)
        return found

    async def _simulate(
        self, files: Mapping[str, str | None], since: float | None, until: float | None
    ) -> Simulated | Rejected:
        in_force = self.policies.current()
        sources = await self.kept.sources(in_force.policy_set.version)
        if sources is None:
            raise _unavailable("the files of the policies in force are not kept", 60)
        packed = await asyncio.to_thread(lambda: changed(sources, files).pack())
        loaded = await self.reader.candidate(packed)
        if isinstance(loaded, Refused):
            return Rejected(in_force.policy_set.version, loaded.problems, loaded.count)
        policy_set = await self._with_accounts(loaded.policy_set)
        busy = partial(serving, self.ledger)
        simulation = Simulation(
            await finish_in_slices(IndexedPolicies.in_steps(policy_set), busy),
            base=in_force,
            all_accounts=True,
            own_audiences=frozenset({sources.parameters.broker_issuer}),
        )
        complete = await self._decide(simulation, EventFilter(since=since, until=until))
        return Simulated(simulation.report(), complete)

    async def _decide(self, simulation: Simulation, wanted: EventFilter) -> bool:
        """Decide the newest events; tell whether these were all."""
        ends_at, behind, left = monotonic() + MAX_SECONDS, None, self.max_events
        while True:
            page = await self.log.event_page(wanted, behind=behind, limit=min(PAGE, left))
            deciding = _decided(simulation, page.events, ends_at)
            if not await finish_in_slices(deciding, partial(serving, self.ledger)):
                return False
            left -= len(page.events)
            behind = page.next_behind
            if behind is None:
                return True
            if left <= 0 or monotonic() >= ends_at:
                return False

    async def _with_accounts(self, policy_set: PolicySet) -> PolicySet:
        made = await every_account(self.accounts)
        overrides = await self.accounts.account_overrides()
        return with_accounts(policy_set, made, overrides, self.clock.now())

    async def _record(
        self, files: Mapping[str, str | None], found: Simulated | Rejected, actor: str
    ) -> None:
        now = self.clock.now()
        if isinstance(found, Rejected):
            outcome, told = "refused", {"problems": found.count}
        else:
            report = found.report
            outcome = "success"
            told = {"decisions": report.decisions, **{k.value: report.counts[k] for k in Kind}}
        event = AuditEvent(
            id=self.identifiers.new(now),
            time=now,
            type="policy.simulated",
            outcome=outcome,
            policy_set=self.policies.current().policy_set.version,
            actor=actor,
            target="policies",
            changes={"files": sorted(files)[:NAMED_FILES], **told},
        )
        await self.ledger.commit(Entry(event))


def changed(sources: PolicySources, files: Mapping[str, str | None]) -> PolicySources:
    """Put files in the place of those that a set was made of. Raises `CandidateRefused`."""
    if len(files) > MAX_FILES:
        raise CandidateRefused(f"more than {MAX_FILES} files")
    texts = dict(sources.texts)
    for name, text in files.items():
        if (fault := _fault(name, dev=sources.parameters.dev_issuers is not None)) is not None:
            raise CandidateRefused(f"'{printable(name[:100])}': {fault}")
        path = f"{sources.folder}/{name}"
        if text is None:
            if texts.pop(path, None) is None:
                raise CandidateRefused(f"'{name}': there is no such file in force")
            continue
        try:
            texts[path] = text.encode()
        except UnicodeEncodeError:
            raise CandidateRefused(f"'{name}': its text is no Unicode") from None
    return replace(sources, texts=texts)


def _fault(name: str, *, dev: bool) -> str | None:
    """Say why a name is none of a policy file below the policy folder."""
    path = PurePosixPath(name)
    if not name.isprintable() or path.as_posix() != name or path.is_absolute():
        return "write a path below the policy folder, such as team/web.yaml"
    if any(part.startswith(".") for part in path.parts):
        return "hidden files, and paths that lead out of the folder, are none of the policies"
    if path.suffix not in _SUFFIXES:
        return "the name of a policy file ends in .yaml or .yml"
    if path.parts[0] == _DEV and not dev:
        return "files in dev/ count with --dev only"
    return None


def _decided(simulation: Simulation, events: Sequence[StoredEvent], ends_at: float) -> Steps[bool]:
    """Decide events until then; tell whether these were all."""
    for number, event in enumerate(events, start=1):
        try:
            simulation.take(event.members(), size=len(event.covered) + len(event.claims))
        except (EventRefused, ValueError):
            damaged = f"event {event.sequence} is damaged: verify the audit"
            raise _unavailable(damaged, 3600) from None
        if number < len(events) and monotonic() >= ends_at:
            # A decision that hangs on what is not on record takes long in a large set.
            return False
        yield
    return True


def _unavailable(description: str, retry_after: int) -> Unavailable:
    return Unavailable(Reason.STORE_UNAVAILABLE, description, retry_after=retry_after)


async def every_account(accounts: AccountReading) -> list[ManagedAccount]:
    """List the accounts that were made through the API, as many as an answer may wait for."""
    found: list[ManagedAccount] = []
    after: str | None = ""
    while after is not None and len(found) < MAX_ACCOUNTS:
        page = await accounts.accounts(after=after, limit=PAGE)
        found += page.accounts
        after = page.next_after
    return found
