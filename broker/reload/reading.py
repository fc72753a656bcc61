"""Having policy files read by a process of its own, from the side of the broker."""

import asyncio
import pickle
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from broker.core.errors import Problem
from broker.core.policy import PolicySet
from broker.messages import Message, MessageBroken
from broker.ports import Clock
from broker.reload.fingerprint import fingerprint_now
from broker.reload.reading_child import ReadingChild
from broker.reload.slices import finish_in_slices
from broker.reload.sources import DeploymentParameters
from broker.reload.transport import KnownBatches, unpickled
from broker.workers.frames import frame

DEADLINE: Final = 120.0
"""Seconds after which a process that reads is ended."""

ATTEMPTS: Final = 10
"""How often files are read that change while they are read, with a pause in between."""

PAUSE: Final = 0.1

LARGE: Final = 1000
"""So many policies are worth a process that stays for the next read: it takes as long to start as
to read them."""

MOST_ANSWERS: Final = 100
"""After so many a process that stays is replaced, with all that reading has left behind in it."""

_NOT_A_SET: Final = (pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError)
"""What unpacking something else than a policy set raises."""

Request: TypeAlias = Callable[[Collection[str]], Message]
"""Writes a request for a process that was told the outlines of these texts before."""


@dataclass(frozen=True, slots=True)
class LoadedSet:
    """A policy set, its packed sources (`broker.reload.sources`), and what to tell of its tests."""

    policy_set: PolicySet
    packed: bytes
    lapsed: tuple[Mapping[str, object], ...] = ()
    """The tests that fail only because something expired or is switched off: `place`, `test` (the
    name) and `fault`."""

    pickled: bytes = b""
    """The set for the other workers (`broker.reload.transport`)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why there is no set: the first problems, and how many there are in all."""

    problems: tuple[Problem, ...]
    count: int

    @classmethod
    def because(cls, file: str, message: str) -> "Refused":
        """Refuse for one reason, which concerns a file or folder as a whole."""
        return cls((Problem(file, 0, 0, message),), 1)


@dataclass(frozen=True, slots=True)
class Reading:
    """The policy folder as it was read."""

    outcome: LoadedSet | Refused
    fingerprint: str | None = None
    """Of the files as they were read; None when it is not known."""

    named_files: tuple[str, ...] = ()
    """The files that policy files name, the missing ones included."""


class PolicyReader:
    """Reads a policy folder in a process of its own.

    Such a process takes longer to start than to read most folders: `prepare` starts it early and
    has it rehearse, and what a start of the broker needs is read in this process, which serves
    nobody yet. For a large folder the process stays: it has most of the next answer ready.
    """

    def __init__(
        self,
        folder: Path,
        parameters: DeploymentParameters,
        clock: Clock,
        *,
        deadline: float = DEADLINE,
    ) -> None:
        """`deadline` is in seconds."""
        self.folder = folder
        self._parameters = parameters
        self._clock = clock
        self._deadline = deadline
        self._prepared: ReadingChild | None = None
        self._asked = 0
        self._large = False
        self._outlines: dict[str, bytes] = {}
        self._known = KnownBatches()

    async def prepare(self) -> None:
        """Start the process of the next read, unless it was started already.

        While one reads, none is started: what was seen meanwhile is most likely what it reads.
        """
        if self._prepared is not None or self._asked:
            return
        try:
            child = ReadingChild()
        except OSError:
            # The read itself will try once more, and tell.
            return
        child.rehearse(frame(self._order("rehearse")), self._outlines)
        self._prepared = child

    async def read(self, *, at_start: bool = False) -> Reading:
        """Read the folder and run the tests in it; anew as long as it changes meanwhile."""
        try:
            for _ in range(ATTEMPTS):
                reading = await self._read_once(at_start=at_start)
                if reading is not None:
                    return reading
                await asyncio.sleep(PAUSE)
            return Reading(self._refuse("changed each time while they were read"))
        finally:
            if not at_start:
                await self.rest()

    async def _read_once(self, *, at_start: bool) -> Reading | None:
        """Read the folder; None when it changed meanwhile, so that old and new may be mixed."""
        answer = await self._ask(lambda told: self._order("read", told), at_start=at_start)
        if isinstance(answer, Refused):
            # Of what the process saw, nothing is known; what is there now would fare no better.
            return Reading(answer, await asyncio.to_thread(fingerprint_now, self.folder, ()))
        self._remember(answer)
        told = answer.header
        if not told["stable"]:
            return None
        named_files = tuple(told["named_files"])
        return Reading(await self._outcome(answer), told["fingerprint"], named_files)

    async def rebuild(
        self, version: str, packed: bytes, *, again: bool = False, at_start: bool = False
    ) -> LoadedSet | Refused:
        """Make a kept set again, as it ran; it is checked against its version.

        When it is to decide again, the parameters of today hold for it.
        """
        parameters = self._parameters.as_json() if again else None
        header = {"do": "rebuild", "version": version, "parameters": parameters}
        request = Message(header, (packed,))
        try:
            answer = await self._ask(lambda _: request, at_start=at_start)
            return answer if isinstance(answer, Refused) else await self._outcome(answer)
        finally:
            await self.close()

    async def candidate(self, packed: bytes) -> LoadedSet | Refused:
        """Make a set of sources that never ran, and run the tests in them."""
        request = Message({"do": "candidate", "now": self._clock.now()}, (packed,))
        try:
            answer = await self._ask(lambda _: request, at_start=False)
            return answer if isinstance(answer, Refused) else await self._outcome(answer)
        finally:
            await self.close()

    async def rest(self) -> None:
        """Await the next order: with a process for a large folder, without one for any other."""
        tired = self._prepared is not None and self._prepared.answers >= MOST_ANSWERS
        if tired or not self._large:
            await self.close()
        if self._large:
            await self.prepare()

    async def close(self) -> None:
        """End the process that waits."""
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            await prepared.end()

    def _order(self, what: str, told: Collection[str] = ()) -> Message:
        """Write the order to read the folder, with all outlines that were not told before."""
        outlines = {name: part for name, part in self._outlines.items() if name not in told}
        header = {
            "do": what,
            "folder": str(self.folder),
            "parameters": self._parameters.as_json(),
            "now": self._clock.now(),
            "known": list(self._outlines),
            "outlines": list(outlines),
        }
        return Message(header, list(outlines.values()))

    async def _ask(self, request: Request, *, at_start: bool) -> Message | Refused:
        if at_start:
            return await _answer_here(request(()))
        self._asked += 1
        try:
            return await self._ask_process(request)
        finally:
            self._asked -= 1

    async def _ask_process(self, request: Request) -> Message | Refused:
        child, self._prepared = self._prepared, None
        if child is not None and child.ended():
            await child.end()
            child = None
        if child is None:
            try:
                child = ReadingChild()
            except OSError as error:
                cause = error.strerror or type(error).__name__
                return self._refuse(f"were not read: no process for it could be started: {cause}")
        try:
            asked = frame(request(child.told))
            answer = Message.decode(await child.ask(asked, self._deadline))
        except TimeoutError:
            return self._refuse(f"were not read within {self._deadline:g} seconds")
        except MessageBroken:
            await child.end()
            return self._refuse(f"were not read: the process for it {child.ending()}")
        self._prepared = child
        return answer

    async def _outcome(self, answer: Message) -> LoadedSet | Refused:
        if not answer.header["loaded"]:
            return _refused(answer.header)
        packed, pickled, *_ = answer.parts
        try:
            policy_set = await finish_in_slices(unpickled(pickled, self._known))
        except _NOT_A_SET:
            await self.close()
            return self._refuse("were not read: the process for it sent something else than them")
        self._large = len(policy_set.policies) >= LARGE
        lapsed = tuple(answer.header["lapsed"])
        return LoadedSet(policy_set, bytes(packed), lapsed, bytes(pickled))

    def _remember(self, answer: Message) -> None:
        """Remember the outlines of the texts just read, so that they are not read again."""
        names = answer.header["outlines"]
        parts = answer.parts[len(answer.parts) - len(names) :]
        new = {name: bytes(part) for name, part in zip(names, parts, strict=True)}
        known = self._outlines | new
        self._outlines = {name: known[name] for name in answer.header["texts"]}
        if self._prepared is not None:
            self._prepared.told = frozenset(self._outlines)

    def _refuse(self, what: str) -> Refused:
        return Refused.because(str(self.folder), f"the policy files {what}")


def _refused(header: Mapping[str, Any]) -> Refused:
    problems = tuple(Problem(*each) for each in header["problems"])
    return Refused(problems, header["problem_count"])


async def _answer_here(request: Message) -> Message:
    # Only here: what parsing needs is not loaded by a broker that reads in processes of their own.
    from broker.reload.reading_process import Memory, serve  # noqa: PLC0415

    return await asyncio.to_thread(serve, request, Memory())
