"""Reloading when the policy files change, once they have been left alone for a while.

What counts is the fingerprint of the files, taken every few seconds. The notices of the system only
make that sooner: they do not come at all from some network and overlay file systems.
"""

import asyncio
import contextlib
import logging
from pathlib import Path
from time import perf_counter
from typing import Final

from watchfiles import awatch

from broker.core.errors import Unavailable
from broker.reload.fingerprint import fingerprint_now, identity_of
from broker.reload.policy_reload import PolicyReload
from broker.reload.reading import PolicyReader

ACTOR: Final = "file change"

SETTLE: Final = 2.0
"""Seconds without a change after which files count as whole (contract §4)."""

LOOK_EVERY: Final = 5.0
"""Seconds between two looks where the system's notices work; without them a fifth of that."""

_RETRY_NOTICES: Final = 30.0
_NOTICE_STEP_MS: Final = 100
# A look takes at most this share of the time, however large the tree is.
_SHARE: Final = 0.01

logger = logging.getLogger(__name__)


class PolicyWatch:
    """Watches a policy folder and the files that its files name."""

    def __init__(
        self,
        reader: PolicyReader,
        reload: PolicyReload,
        *,
        settle: float = SETTLE,
        look_every: float = LOOK_EVERY,
    ) -> None:
        """`settle` and `look_every` are in seconds."""
        self._reader = reader
        self._reload = reload
        self._settle = settle
        self._look_every = look_every
        self._look_took = 0.0
        self._notices_work = False
        self._noticed = asyncio.Event()

    async def run(self) -> None:
        """Watch for as long as the broker serves."""
        notices: asyncio.Task[None] | None = None
        watched: str | None = None
        try:
            while True:
                # A folder that was replaced has to be asked for notices anew.
                identity = identity_of(self._reader.folder)
                if notices is None or identity != watched:
                    await _cancel(notices)
                    watched = identity
                    notices = asyncio.create_task(self._take_notices(self._reader.folder))
                await self._reload_if_changed()
                await self._wait(self._pause())
        finally:
            await _cancel(notices)

    async def _reload_if_changed(self) -> None:
        fingerprint = await self._look()
        if fingerprint == self._tried():
            await self._reader.rest()
            return
        # It takes about as long to start as the files have to be left alone.
        await self._reader.prepare()
        settled = await self._settled(fingerprint)
        if settled == self._tried():
            await self._reader.rest()
            return
        try:
            await self._reload.reload(forced=False, actor=ACTOR, seen=settled)
        except Unavailable as error:
            logger.warning("the policy files are tried again: %s", error)
        # A process is left over when somebody else had these files read meanwhile.
        await self._reader.rest()

    async def _settled(self, fingerprint: str) -> str:
        """Wait until the files have not changed for a while; give their fingerprint then."""
        now = asyncio.get_running_loop().time
        left_alone_since = now()
        while (left := left_alone_since + self._settle - now()) > 0:
            await self._wait(left)
            seen = await self._look()
            if seen != fingerprint:
                fingerprint, left_alone_since = seen, now()
        return fingerprint

    def _tried(self) -> str | None:
        latest = self._reload.latest()
        return latest.fingerprint if latest else None

    async def _look(self) -> str:
        latest = self._reload.latest()
        began = perf_counter()
        fingerprint = await asyncio.to_thread(
            fingerprint_now, self._reader.folder, latest.named_files if latest else ()
        )
        self._look_took = perf_counter() - began
        return fingerprint

    def _pause(self) -> float:
        shortest = self._look_every if self._notices_work else self._look_every / 5
        return max(shortest, self._look_took / _SHARE)

    async def _wait(self, seconds: float) -> None:
        """Wait for a notice, at most for some seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._noticed.wait()
        self._noticed.clear()

    async def _take_notices(self, folder: Path) -> None:
        told = False
        while True:
            try:
                self._notices_work = True
                async for _ in awatch(
                    folder,
                    watch_filter=None,
                    step=_NOTICE_STEP_MS,
                    recursive=True,
                    ignore_permission_denied=True,
                ):
                    self._noticed.set()
            except (OSError, RuntimeError) as error:
                if not told:
                    logger.warning(
                        "no notices of changes below %s (%s): they are looked for every %g seconds",
                        *(folder, type(error).__name__, self._look_every / 5),
                    )
                told = True
            self._notices_work = False
            await asyncio.sleep(_RETRY_NOTICES)


async def _cancel(task: "asyncio.Task[None] | None") -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
