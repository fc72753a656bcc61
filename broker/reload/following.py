"""The other workers' part: their policies are those that the leader has put in force."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from broker.core.errors import Reason, Unavailable
from broker.messages import Message
from broker.ports import PolicyFault, ReloadOutcome
from broker.reload import told
from broker.reload.reading import DEADLINE
from broker.reload.slices import finish_in_slices
from broker.reload.swap import PolicySwap
from broker.reload.transport import KnownBatches, unpickled
from broker.workers.link import Link, Unanswered
from broker.workers.words import LEADER

RELOAD_SECONDS: Final = DEADLINE + 30.0

logger = logging.getLogger(__name__)


class Following:
    """Has the leader reload, and follows it; implements `PolicyStatus` and `PolicyReloading`.

    `look` looks at the store; `taking_in` is entered around the work that makes a set.
    """

    def __init__(
        self,
        link: Link,
        swap: PolicySwap,
        look: Callable[[], Awaitable[None]],
        taking_in: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._link = link
        self._swap = swap
        self._look = look
        self._taking_in = taking_in
        self._fault: PolicyFault | None = None
        self._known = KnownBatches()
        link.serve(told.STAGE, self._serve_stage)
        link.serve(told.LOOK, self._serve_look)
        link.serve(told.FAULT, self._serve_fault)

    def fault(self) -> PolicyFault | None:
        """Tell why the files are not in force, as the leader said; None when they are."""
        return self._fault

    async def reload(self, *, forced: bool, actor: str) -> ReloadOutcome:
        """Have the leader read the files and put them in force. Raises `Unavailable`."""
        body = {"forced": forced, "actor": actor}
        try:
            answers = await self._link.ask(LEADER, told.RELOAD, body, seconds=RELOAD_SECONDS)
        except Unanswered:
            answers = []
        if not answers:
            message = "the worker that reads the policy files is not there"
            raise Unavailable(Reason.STORE_UNAVAILABLE, message, retry_after=1)
        return told.outcome_from(answers[0].header["body"])

    async def _serve_stage(self, message: Message) -> Mapping[str, Any]:
        with self._taking_in():
            policy_set = await finish_in_slices(unpickled(message.parts[0], self._known))
            await self._swap.stage(policy_set, at_once=message.header["body"]["at_once"])
        return {}

    async def _serve_look(self, _message: Message) -> Mapping[str, Any]:
        try:
            await self._look()
        except Unavailable as error:
            logger.warning("the state is looked at again: %s", error)
        return {}

    async def _serve_fault(self, message: Message) -> Mapping[str, Any]:
        self._fault = told.fault_from(message.header["body"])
        return {}
