"""A broker in several processes: what each of them does, from the fork to its end."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import uvloop

from broker import logs
from broker.bootstrap import Measured, Worker, running
from broker.core.errors import ConfigurationError
from broker.messages import Message
from broker.metrics.board import Board
from broker.reload.collector import set_aside
from broker.serving.acceptor import ConnectionShare
from broker.serving.server import Server, Service
from broker.shared_output import OutputLock, same_output
from broker.workers.link import Handler, Link, report_problems
from broker.workers.open_connections import OpenConnections
from broker.workers.supervisor import Post, Supervisor
from broker.workers.words import ALONE, LEADER, READY, STOP

CANNOT_START: Final = 2

ALONE_SECONDS: Final = 15.0
"""How long the leader waits for the others' end, so that what it does last comes last."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Output:
    """Where all processes write, and what they exclude one another with meanwhile."""

    stderr: int
    log_lock: OutputLock
    event_lock: OutputLock

    @classmethod
    def of_this_process(cls) -> "Output":
        """Take the output of this process, before any other is forked."""
        stderr, log_lock = sys.stderr.fileno(), OutputLock()
        # With `2>&1` logs and events are lines of the same file.
        together = sys.__stdout__ is not None and same_output(sys.__stdout__.fileno(), stderr)
        return cls(stderr, log_lock, log_lock if together else OutputLock())

    def log_of_supervisor(self) -> logs.LineStream:
        """Give the log of the one process that has no threads."""
        return logs.PatientLog(self.stderr, self.log_lock)

    @contextmanager
    def logging_as(self, number: int) -> Iterator[None]:
        """Log as a worker, down to the error that ends it."""
        log = logs.SharedLog(self.stderr, self.log_lock)
        logs.configure(log, process={"worker": number})
        try:
            yield
        except BaseException:
            logger.critical("the worker failed", exc_info=True)
            raise
        finally:
            log.close()


def serve(service: Service, count: int, output: Output) -> int:
    """Serve until SIGTERM or SIGINT; give the exit status. Raises `ConfigurationError`."""
    connections, board, supervisor = OpenConnections(count), Board(count), os.getpid()

    def work(post: Post) -> int:
        # What a predecessor left that was killed.
        connections.reset(post.number)
        with output.logging_as(post.number):
            try:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    measured = Measured.by_worker(board, post.number, supervisor)
                    runner.run(_serve(service, post, output.event_lock, connections, measured))
            except ConfigurationError as error:
                report_problems(post.end, error)
                return CANNOT_START
            return 0

    facts = {**service.facts(), "workers": count}

    def close_listeners() -> None:
        # The last copies but those of the workers: who comes now is to be refused, not to wait.
        for listener in service.listeners:
            listener.close()

    return Supervisor(
        count, work, lambda: logger.info("serving", extra=facts), close_listeners
    ).run()


async def _serve(
    service: Service,
    post: Post,
    event_lock: OutputLock,
    connections: OpenConnections,
    measured: Measured,
) -> None:
    link = Link(post.number, post.end)
    end, all_end, alone = asyncio.Event(), asyncio.Event(), asyncio.Event()
    # Who is ended by itself is started again.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    link.serve(STOP, _setting(all_end))
    link.serve(ALONE, _setting(alone))
    worker = Worker(link, post.broker_starts, event_lock, measured)
    async with running(
        service.settings, dev_issuers=service.dev_issuers, owns_process=True, worker=worker
    ) as broker:
        share = ConnectionShare(post.number, connections)
        server = Server(broker.app, lambda: link.tell_supervisor(READY), share)
        # Without its supervisor a worker must not keep the port.
        ending = asyncio.create_task(_first_of(end, all_end, link.lost))
        ending.add_done_callback(lambda _: server.stop())
        set_aside()
        await server.serve(sockets=[*service.listeners])
        if all_end.is_set() and post.number == LEADER:
            await _first_of(alone, link.lost, seconds=ALONE_SECONDS)


def _setting(event: asyncio.Event) -> Handler:
    async def handle(_message: Message) -> Mapping[str, Any]:
        event.set()
        return {}

    return handle


async def _first_of(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Wait until one of the events is set, or for some seconds."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
