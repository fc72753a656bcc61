"""A service token in memory, and how long it is good by a clock that nobody sets."""

from dataclasses import dataclass
from typing import Final

from broker.client.service_token import ServiceToken
from broker.client.token_files import renew_within

LAST_SECONDS: Final = 30.0
"""With more left than this, a token is still given when no other can be had."""


@dataclass(frozen=True, slots=True)
class HeldToken:
    """A token that was asked for at `since`, in seconds of a monotonic clock."""

    token: ServiceToken
    since: float

    def remaining(self, monotonic: float) -> float:
        """Tell how many seconds it has left, counted from before it was asked for."""
        return self.since + self.token.expires_in - monotonic

    def renews_in(self, monotonic: float) -> float:
        """Tell in how many seconds it is to be renewed; negative when that is due."""
        return self.remaining(monotonic) - renew_within(self.token.expires_in)

    def is_fresh(self, monotonic: float) -> bool:
        """Tell whether it need not be renewed yet."""
        return self.renews_in(monotonic) > 0

    def is_usable(self, monotonic: float) -> bool:
        """Tell whether it may still be given when renewing fails."""
        return self.usable_for(monotonic) > 0

    def usable_for(self, monotonic: float) -> float:
        """Tell for how many seconds it may still be given when renewing fails."""
        return self.remaining(monotonic) - min(LAST_SECONDS, self.token.expires_in / 4)
