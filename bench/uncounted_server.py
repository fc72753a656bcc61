"""A broker in one process that counts nothing, to find out what counting costs.

Run with a configuration and a port, as `bench.servers.broker` does.
"""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import uvloop

from broker import logs
from broker.bootstrap import Measured, Worker, running
from broker.metrics.board import Board
from broker.reload.collector import set_aside
from broker.serving.server import Server, listening
from broker.settings import load


async def serve(configuration: Path, listen: str) -> None:
    """Serve until SIGTERM, as `broker serve` does in one process."""
    settings = load(configuration, os.environ, listen=listen, working_directory=Path.cwd())
    uncounted = Measured.by_worker(Board(1), 0, counts=False)
    with contextlib.ExitStack() as stack:
        bound, listeners = stack.enter_context(listening(settings))
        async with running(bound, owns_process=True, worker=Worker(measured=uncounted)) as broker:
            server = Server(broker.app, lambda: None)
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
            set_aside()
            await server.serve(sockets=list(listeners))


if __name__ == "__main__":
    logs.configure(sys.stderr)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Path(sys.argv[1]), sys.argv[2]))
