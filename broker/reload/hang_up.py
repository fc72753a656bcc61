"""SIGHUP: an operator says that the policy files are meant as they are, or a terminal is gone."""

import asyncio
import logging
import signal
from collections.abc import Callable
from typing import Final

from broker.core.errors import Unavailable
from broker.reload.policy_reload import PolicyReload
from broker.workers.terminal import Terminal

ACTOR: Final = "SIGHUP"

logger = logging.getLogger(__name__)


class HangUp:
    """Takes SIGHUP from now on, which would end the process otherwise.

    The system sends it as well when the terminal is closed that a broker was started from. That
    ends it, as it ends other programs, unless `nohup` says otherwise.
    """

    def __init__(self) -> None:
        """Must be made in the running event loop of the main thread."""
        self._terminal = Terminal()
        self._came = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._came.set)

    async def serve(self, reload: PolicyReload, stop: Callable[[], None]) -> None:
        """Reload at every signal, also to a set that is empty or drops a deny policy."""
        while True:
            await self._came.wait()
            self._came.clear()
            if self._terminal.is_lost():
                stop()
                return
            await reload_as_meant(reload)


async def reload_as_meant(reload: PolicyReload) -> None:
    """Reload, also to a set that is empty or drops a deny policy; a store in trouble is logged."""
    try:
        await reload.reload(forced=True, actor=ACTOR)
    except Unavailable as error:
        logger.error("the policies were not reloaded: %s", error)  # noqa: TRY400
