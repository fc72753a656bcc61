"""The broker's keys as a service holds them: when they are fetched, and how long they count."""

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from broker.core.issuer_keys import KeysRefused, VerificationKey, read_jwks
from broker.verify.errors import NotVerifiable, Refusal, TokenRefused
from broker.verify.key_fetch import Fetch, FetchFailed
from broker.verify.signatures import ALGORITHMS

MAX_AGE: Final = 25 * 3600
"""Seconds that keys count after the start of the fetch that brought them: an outage of a day."""

REFRESH_SECONDS: Final = 300
"""What the broker says of its JWKS (`max-age`); jitter makes it up to a fifth shorter."""

MISS_SECONDS: Final = 30
"""Unknown key ids cause one fetch in this time, however many there are."""

FIRST_PAUSE: Final = 3
LONGEST_PAUSE: Final = 30
"""Seconds between a failed fetch and the next; every further failure doubles the pause."""

_JITTER: Final = 0.2

_log = logging.getLogger(__name__)


class IssuerKeys:
    """The public keys of one broker, shared by all threads and event loops of a process.

    Held keys are served from memory, and fetched anew beside that; nobody waits but who has none.
    """

    def __init__(
        self,
        fetch: Fetch,
        *,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Nothing is fetched before the first token. `jitter` draws from 0 to 1."""
        self._fetch = fetch
        self._clock = clock
        self._jitter = jitter
        self._keys: Mapping[str, VerificationKey] = {}
        self._since = -math.inf
        self._due = -math.inf
        self._fetching = threading.Lock()
        self._fetches = 0
        self._failures = 0
        self._failed_at = -math.inf
        self._missed_at = -math.inf
        self.generation = 0
        """Goes up when there are other keys: what older ones have verified counts no more."""

    def held(self, key_id: str) -> VerificationKey | None:
        """Give a key that is in memory and counts; begin a fetch that is due, without waiting."""
        now = self._clock()
        if not self._counts(now):
            return None
        if now >= self._due or now < self._since:
            self._refresh_beside(now)
        return self._keys.get(key_id)

    def find(self, key_id: str) -> VerificationKey:
        """Give a key, fetching them if need be.

        Raises `TokenRefused` (`key_not_found`) and `NotVerifiable`.
        """
        fetches = self._fetches
        key = self.held(key_id)
        if key is not None:
            return key
        with self._fetching:
            # A fetch that another thread began since has the last word, too.
            now = self._clock()
            known = self._counts(now) and key_id in self._keys
            if not known and self._fetches == fetches and self._wait_left(now) <= 0:
                if self._counts(now):
                    self._missed_at = now
                self._load(now)
        key = self.held(key_id)
        if key is None:
            raise self._refusal()
        return key

    def _refresh_beside(self, now: float) -> None:
        if self._pause_left(now) > 0 or not self._fetching.acquire(blocking=False):
            return

        def run() -> None:
            try:
                self._load(now)
            finally:
                self._fetching.release()

        try:
            threading.Thread(target=run, name="broker-keys", daemon=True).start()
        except RuntimeError:
            # No more threads, or the interpreter is ending: the next one asks again.
            self._fetching.release()

    def _load(self, now: float) -> None:
        """Fetch once; a failure leaves the last good set as it is. The lock is held."""
        self._fetches += 1
        try:
            keys = read_jwks(self._fetch(), ALGORITHMS).keys
        except (FetchFailed, KeysRefused) as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a server provokes, held keys serve
            self._fail(f"unexpected {type(error).__name__}")
        else:
            self.generation += keys != self._keys
            if self._failures:
                _log.warning("the broker's keys can be fetched again")
            self._keys, self._since, self._failures = keys, now, 0
            self._due = now + REFRESH_SECONDS * (1 - _JITTER * self._jitter())

    def _fail(self, failure: str) -> None:
        if not self._failures:
            _log.warning("the broker's keys were not fetched: %s", failure)
        self._failures += 1
        self._failed_at = self._clock()

    def _refusal(self) -> TokenRefused | NotVerifiable:
        now = self._clock()
        if not self._failures and self._counts(now):
            return TokenRefused(
                Refusal.KEY_NOT_FOUND, "the token names a key that the broker does not publish"
            )
        return NotVerifiable(
            "the broker's keys cannot be fetched now",
            retry_after=max(1, math.ceil(self._wait_left(now))),
        )

    def _wait_left(self, now: float) -> float:
        """Give the seconds until a token may cause a fetch: after a failure, and after a miss."""
        pause = self._pause_left(now)
        if not self._counts(now):
            return pause
        return max(pause, _left(self._missed_at, MISS_SECONDS, now))

    def _counts(self, now: float) -> bool:
        """Tell whether what is held may still be used; a clock that was set may not prolong it."""
        return abs(now - self._since) < MAX_AGE

    def _pause_left(self, now: float) -> float:
        if not self._failures:
            return 0
        # The exponent is bounded too: the broker may be away for years.
        pause = min(FIRST_PAUSE * 2 ** min(self._failures - 1, 8), LONGEST_PAUSE)
        return _left(self._failed_at, pause, now)


def _left(since: float, seconds: float, now: float) -> float:
    """Give the rest of a span; a clock that was set back ends it rather than prolong it."""
    return max(0.0, seconds - abs(now - since))
