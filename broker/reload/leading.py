"""The leader's part: it alone reads the policy files, and has the other workers follow."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from broker.core.errors import Unavailable
from broker.messages import Message
from broker.ports import PolicyFault
from broker.reload import hang_up, told
from broker.reload.policy_reload import PolicyReload
from broker.reload.reading import LoadedSet
from broker.workers.link import Link, Unanswered
from broker.workers.words import HANG_UP, OTHERS

STAGE_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 5.0
FAULT_SECONDS: Final = 2.0

logger = logging.getLogger(__name__)


class LinkedFollowers:
    """The other workers, reached by the supervisor's lines; implements `Followers`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def stage(self, loaded: LoadedSet, *, at_once: bool = False) -> None:
        """Have them make a set ready, or show it `at_once` when it decides like the one in force.

        Returns when they have, or are late: then they read it from the store.
        """
        body, parts = {"at_once": at_once}, [loaded.pickled]
        await self._tell(told.STAGE, body, parts, seconds=STAGE_SECONDS)

    async def look(self) -> None:
        """Have them look at the store now; returns when they have, or are late."""
        await self._tell(told.LOOK, seconds=LOOK_SECONDS)

    async def fault_changed(self, fault: PolicyFault | None) -> None:
        """Tell them, and who becomes one later, whether the policy files are in force."""
        body = told.fault_members(fault)
        await self._tell(told.FAULT, body, seconds=FAULT_SECONDS, retained=True)

    async def _tell(
        self,
        kind: str,
        body: Mapping[str, Any] | None = None,
        parts: list[bytes] | None = None,
        *,
        seconds: float,
        retained: bool = False,
    ) -> None:
        try:
            await self._link.ask(
                OTHERS, kind, body, parts or (), seconds=seconds, retained=retained
            )
        except Unanswered as error:
            logger.warning("not all workers follow at once: %s", error)


class Leading:
    """Serves what the other workers and the supervisor ask of the leader."""

    def __init__(self, link: Link, reload: PolicyReload) -> None:
        self._reload = reload
        link.serve(told.RELOAD, self._serve_reload)
        link.serve(told.FAULT, self._inherit)
        link.serve(HANG_UP, self._serve_hang_up)

    async def _serve_reload(self, message: Message) -> Mapping[str, Any]:
        body = message.header["body"]
        try:
            outcome = await self._reload.reload(forced=body["forced"], actor=body["actor"])
        except Unavailable as error:
            return told.outcome_members(error)
        return told.outcome_members(outcome)

    async def _serve_hang_up(self, _message: Message) -> Mapping[str, Any]:
        await hang_up.reload_as_meant(self._reload)
        return {}

    async def _inherit(self, message: Message) -> Mapping[str, Any]:
        self._reload.inherit(told.fault_from(message.header["body"]))
        return {}
