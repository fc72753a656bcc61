"""When a process that ended is started again, and when it is given up."""

from typing import Final

EARLY_SECONDS: Final = 60.0
"""Who ends sooner than this after its start may have ended for a reason that lasts."""

MAX_EARLY_DEATHS: Final = 5
FIRST_PAUSE_SECONDS: Final = 0.5


class Restarts:
    """The deaths of one process; times are in seconds of any one clock."""

    def __init__(self) -> None:
        self._early_deaths = 0

    def pause_after(self, lifetime: float) -> float | None:
        """Tell how long to wait before the next start, after a life of so many seconds.

        None when it died so early too often: at the fifth time in a row.
        """
        if lifetime >= EARLY_SECONDS:
            self._early_deaths = 0
            return 0.0
        self._early_deaths += 1
        if self._early_deaths >= MAX_EARLY_DEATHS:
            return None
        # The first one may be by chance, and requests wait for it.
        doublings = self._early_deaths - 2
        return 0.0 if doublings < 0 else FIRST_PAUSE_SECONDS * 2.0**doublings
