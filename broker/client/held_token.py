"""A service token in memory, and how long it is good by a clock that nobody sets."""

from dataclasses import dataclass
from typing import Final

from broker.client.service_token import ServiceToken

RENEW_WITHIN: Final = 60.0
"""Seconds; a token with no more left is renewed, or with a fifth of its life, what is longer."""

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

    def is_fresh(self, monotonic: float) -> bool:
        """Tell whether it need not be renewed yet."""
        return self.remaining(monotonic) > self.renew_within()

    def renew_within(self) -> float:
        """Tell at how many seconds before its end it is renewed."""
        # Of a life that is shorter than that, half.
        life = self.token.expires_in
        return min(max(RENEW_WITHIN, life / 5), life / 2)

    def is_usable(self, monotonic: float) -> bool:
        """Tell whether it may still be given when renewing fails."""
        return self.remaining(monotonic) > min(LAST_SECONDS, self.token.expires_in / 4)
