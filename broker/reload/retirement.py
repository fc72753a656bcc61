"""Letting go of a policy set that no longer decides, without a pause that requests would feel."""

import asyncio
from typing import Final

from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Policy
from broker.core.steps import Steps
from broker.reload.slices import finish_in_slices

GRACE: Final = 5.0
"""Seconds in which the requests end that the set still decides."""


async def let_go(policies: IndexedPolicies) -> None:
    """Wait until nobody uses a set, then free it bit by bit.

    Python would free all of a large set at once, in the middle of whatever drops it last.
    """
    remains = list(policies.policy_set.policies.values())
    await asyncio.sleep(GRACE)
    del policies
    await finish_in_slices(_emptied(remains))


def _emptied(remains: list[Policy]) -> Steps[None]:
    while remains:
        del remains[-20:]
        yield
