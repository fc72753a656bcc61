"""The supervisor: starts the workers of a broker, starts them again, and ends them.

It serves nobody, opens no store and has no threads, so that each worker begins as the first one
did: with the same settings and the same listening socket. Worker 0, the leader, has the duties of
the whole broker; the others start when it is ready.
"""

import gc
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from broker.core.errors import ConfigurationError, Problem
from broker.workers.forking import FAILED, SIGNALS, fork
from broker.workers.restarts import MAX_EARLY_DEATHS, Restarts
from broker.workers.switchboard import Switchboard
from broker.workers.terminal import Terminal
from broker.workers.wire import Wire, WireCut
from broker.workers.words import ALONE, HANG_UP, LEADER, PROBLEMS, READY, STOP

STOP_SECONDS: Final = 40.0
"""How long the workers may take to finish what is under way; then they are killed."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Post:
    """What a process is to be: which worker, and its end of the line to the supervisor."""

    number: int
    end: socket.socket
    broker_starts: bool
    """Whether the whole broker starts with it, so that the policy files are read first."""


Work = Callable[[Post], int]
"""Runs a worker and returns its exit status. Problems go to `report_problems`."""


@dataclass(slots=True)
class _Worker:
    number: int
    restarts: Restarts = field(default_factory=Restarts)
    process: int | None = None
    started_at: float = 0.0
    due_at: float | None = None
    """When it is started, while it has no process."""

    ready: bool = False
    problems: list[Problem] | None = None


class Supervisor:
    """The parent of the workers; `serving` is called once, when all of them serve.

    `stopping` is called when they are told to end.
    """

    def __init__(
        self,
        count: int,
        work: Work,
        serving: Callable[[], None],
        stopping: Callable[[], None] = lambda: None,
    ) -> None:
        self._workers = [_Worker(number) for number in range(count)]
        self._work = work
        self._serving = serving
        self._stopping = stopping
        self._switchboard = Switchboard()
        self._selector = selectors.DefaultSelector()
        self._terminal = Terminal()
        self._broker_started = False
        self._all_served = False
        self._hung_up = False
        self._status: int | None = None
        self._kill_at: float | None = None
        self._wake, self._woken = socket.socketpair()

    def run(self) -> int:
        """Run until a signal ends it, and give the exit status.

        Raises `ConfigurationError` when the broker cannot start.
        """
        before = self._take_signals()
        # What all processes share stays shared: the collector would write to every page.
        gc.collect()
        gc.freeze()
        self._workers[LEADER].due_at = time.monotonic()
        try:
            while self._status is None or self._alive():
                self._start_due()
                self._wait()
                self._reap()
        finally:
            self._kill_all()
            for signum, handler in before.items():
                signal.signal(signum, handler)
            signal.set_wakeup_fd(-1)
            self._close()
        return self._status

    # --- signals ----------------------------------------------------------------------------------

    def _take_signals(self) -> "dict[signal.Signals, signal.Handlers]":
        for end in (self._wake, self._woken):
            end.settimeout(0)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        return {each: signal.signal(each, lambda *_: None) for each in SIGNALS}  # type: ignore[misc]

    def _signalled(self, signum: int) -> None:
        if signum in (signal.SIGTERM, signal.SIGINT):
            if self._status is None:
                self._stop(0)
            else:
                logger.warning("a second signal: the workers are killed")
                self._status = FAILED
                self._kill_all()
        elif signum == signal.SIGHUP and self._terminal.is_lost():
            if self._status is None:
                self._stop(0)
        elif signum == signal.SIGHUP:
            self._hung_up = True
            self._pass_hang_up_on()

    def _pass_hang_up_on(self) -> None:
        if self._hung_up and self._workers[LEADER].ready:
            self._hung_up = False
            self._switchboard.tell(LEADER, HANG_UP)

    def _stop(self, status: int) -> None:
        """Let every worker finish what is under way; a deadline ends that."""
        self._status = status
        self._kill_at = time.monotonic() + STOP_SECONDS
        self._stopping()
        for worker in self._workers:
            worker.due_at = None
            self._switchboard.tell(worker.number, STOP)
        self._tell_if_alone()

    def _tell_if_alone(self) -> None:
        alive = self._alive()
        if self._status is not None and [each.number for each in alive] == [LEADER]:
            self._switchboard.tell(LEADER, ALONE)

    # --- the loop ---------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Wait for something to do, and serve the lines."""
        instants = [each.due_at for each in self._workers if each.due_at is not None]
        instants += [self._kill_at] if self._kill_at is not None else []
        timeout = max(0.0, min(instants) - time.monotonic()) if instants else None
        for number, wire in self._switchboard.wires.items():
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wire.waits else 0)
            self._selector.modify(wire.end, events, number)
        for key, events in self._selector.select(timeout):
            if key.data is None:
                for signum in self._woken.recv(4096):
                    self._signalled(signum)
            else:
                self._serve(key.data, events)
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            logger.error("the workers did not end within %g seconds: they are killed", STOP_SECONDS)
            self._status = FAILED
            self._kill_at = None
            self._kill_all()

    def _serve(self, number: int, events: int) -> None:
        wire = self._switchboard.wires.get(number)
        if wire is None:
            return
        try:
            if events & selectors.EVENT_WRITE:
                wire.flush()
            if events & selectors.EVENT_READ:
                for message in self._switchboard.receive(number):
                    if message.header["kind"] == READY:
                        self._is_ready(number)
                    elif message.header["kind"] == PROBLEMS:
                        problems = message.header["body"]["problems"]
                        self._workers[number].problems = [Problem(*each) for each in problems]
        except WireCut:
            self._disconnect(number)

    def _is_ready(self, number: int) -> None:
        self._workers[number].ready = True
        if number == LEADER:
            self._broker_started = True
            self._pass_hang_up_on()
            for worker in self._workers:
                if worker.process is None and worker.due_at is None and self._status is None:
                    worker.due_at = time.monotonic()
        if not self._all_served and all(each.ready for each in self._workers):
            self._all_served = True
            self._serving()

    # --- processes --------------------------------------------------------------------------------

    def _alive(self) -> list[_Worker]:
        return [each for each in self._workers if each.process is not None]

    def _start_due(self) -> None:
        for worker in self._workers:
            if worker.due_at is not None and worker.due_at <= time.monotonic():
                worker.due_at = None
                self._start(worker)

    def _start(self, worker: _Worker) -> None:
        ours, theirs = socket.socketpair()
        starts = worker.number == LEADER and not self._broker_started

        def work() -> int:
            # NOTE: a copy of another's end would keep the workers from seeing that it is closed.
            ours.close()
            self._close()
            return self._work(Post(worker.number, theirs, starts))

        worker.problems = None
        worker.started_at = time.monotonic()
        worker.process = fork(work)
        theirs.close()
        wire = Wire(ours)
        self._selector.register(ours, selectors.EVENT_READ, worker.number)
        self._switchboard.connect(worker.number, wire)

    def _reap(self) -> None:
        for worker in self._alive():
            process = worker.process or 0
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                # What it said before it ended.
                self._serve(worker.number, selectors.EVENT_READ)
                self._disconnect(worker.number)
                worker.process, worker.ready = None, False
                self._ended(worker, process, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: _Worker, process: int, status: int) -> None:
        """Decide what follows from the end of a process."""
        if self._status is not None:
            self._tell_if_alone()
            return
        if worker.problems and not self._broker_started:
            self._status = FAILED
            raise ConfigurationError(worker.problems)
        for problem in worker.problems or ():
            logger.error("worker %d cannot start: %s", worker.number, problem)
        facts = {"worker": worker.number, "pid": process, "ended": _ending(status)}
        if status == 0:
            logger.warning("a worker was ended from outside; it is started again", extra=facts)
            worker.due_at = time.monotonic()
            return
        pause = worker.restarts.pause_after(time.monotonic() - worker.started_at)
        if pause is None:
            message = "a worker died %d times soon after its start: the broker ends"
            logger.critical(message, MAX_EARLY_DEATHS, extra=facts)
            self._stop(FAILED)
            return
        logger.error("a worker died; it is started again in %g seconds", pause, extra=facts)
        worker.due_at = time.monotonic() + pause

    def _disconnect(self, number: int) -> None:
        wire = self._switchboard.wires.get(number)
        if wire is not None:
            self._selector.unregister(wire.end)
            self._switchboard.disconnect(number)

    def _kill_all(self) -> None:
        for worker in self._alive():
            with suppress(ProcessLookupError):
                os.kill(worker.process or 0, signal.SIGKILL)
        for worker in self._alive():
            with suppress(ChildProcessError):
                os.waitpid(worker.process or 0, 0)
            worker.process = None

    def _close(self) -> None:
        self._selector.close()
        for wire in self._switchboard.wires.values():
            wire.close()
        self._wake.close()
        self._woken.close()


def _ending(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"with status {status}"
