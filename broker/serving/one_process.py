"""A broker in one process, without a supervisor."""

import asyncio
import logging
import signal
from contextlib import suppress

import uvloop

from broker.bootstrap import running
from broker.reload.collector import set_aside
from broker.reload.hang_up import HangUp
from broker.serving.server import Server, Service

logger = logging.getLogger(__name__)


def serve(service: Service) -> int:
    """Serve until SIGTERM or SIGINT; give the exit status. Raises `ConfigurationError`."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(service))
    return 0


async def _serve(service: Service) -> None:
    loop = asyncio.get_running_loop()
    hang_up = HangUp()
    async with running(
        service.settings, dev_issuers=service.dev_issuers, owns_process=True
    ) as broker:
        server = Server(broker.app, lambda: logger.info("serving", extra=service.facts()))
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, server.stop)
        reloading = asyncio.create_task(hang_up.serve(broker.reload, server.stop))
        set_aside()
        await server.serve(sockets=[*service.listeners])
        reloading.cancel()
        with suppress(asyncio.CancelledError):
            await reloading
