"""The broker's keys as a service holds them: when they are fetched, and how long they count."""

import logging
import math
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Final

from broker.core.issuer_keys import KeysRefused, VerificationKey, read_jwks
from broker.verify.errors import NotVerifiable, Reason, TokenRefused
from broker.verify.key_fetch import Fetch, FetchFailed
from broker.verify.running_fetch import RunningFetch
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
        self._fetching: RunningFetch | None = None
        self._ended = 0
        # Held for moments alone, never while something is fetched.
        self._beginning = threading.Lock()
        self._failures = 0
        self._failed_at = -math.inf
        self._missed_at = -math.inf
        self.generation = 0
        """Goes up when there are other keys: what older ones have verified counts no more."""
        _IN_THIS_PROCESS.add(self)

    @property
    def due(self) -> float:
        """When they are fetched anew, in seconds since the epoch."""
        return self._due

    def held(self, key_id: str) -> VerificationKey | None:
        """Give a key that is in memory and counts; begin a fetch that is due, without waiting."""
        now = self._clock()
        if not self._counts(now):
            return None
        if (now >= self._due or now < self._since) and self._pause_left(now) <= 0:
            with self._beginning:
                if self._fetching is None:
                    self._begin(now)
        return self._keys.get(key_id)

    def find(self, key_id: str) -> VerificationKey:
        """Give a key, waiting for a fetch if need be.

        Raises `TokenRefused` (`key_not_found`) and `NotVerifiable`.
        """
        found = self._held_or_coming(key_id)
        if isinstance(found, RunningFetch):
            return self._brought(key_id, in_time=found.wait())
        return found

    async def find_async(self, key_id: str) -> VerificationKey:
        """Do the same in an event loop, which goes on meanwhile."""
        found = self._held_or_coming(key_id)
        if isinstance(found, RunningFetch):
            return self._brought(key_id, in_time=await found.wait_async())
        return found

    def forget_fetch(self) -> None:
        """Begin anew in a process that was forked: the fetch goes on in the other one alone."""
        self._beginning = threading.Lock()
        self._fetching = None

    def _held_or_coming(self, key_id: str) -> VerificationKey | RunningFetch:
        """Give a key, or the fetch that may bring it. Raises as `find` does where none may."""
        ended = self._ended
        key = self.held(key_id)
        if key is not None:
            return key
        with self._beginning:
            if self._fetching is not None:
                return self._fetching
            now = self._clock()
            # A fetch that ended since this began has the last word, too.
            if ended == self._ended and self._wait_left(now) <= 0:
                missed = self._counts(now)
                running = self._begin(now)
                if running is None:
                    raise _not_now(1)
                if missed:
                    self._missed_at = now
                return running
        return self._brought(key_id, in_time=True)

    def _brought(self, key_id: str, *, in_time: bool) -> VerificationKey:
        key = self.held(key_id)
        if key is not None:
            return key
        now = self._clock()
        if in_time and not self._failures and self._counts(now):
            raise TokenRefused(
                Reason.KEY_NOT_FOUND, "the token names a key that the broker does not publish"
            )
        raise _not_now(self._wait_left(now))

    def _begin(self, now: float) -> RunningFetch | None:
        """Fetch beside the requests; None where no thread can be had. The lock is held."""
        running = RunningFetch()

        def run() -> None:
            try:
                self._load(now)
            finally:
                with self._beginning:
                    self._ended += 1
                    self._fetching = None
                running.end()

        self._fetching = running
        try:
            threading.Thread(target=run, name="broker-keys", daemon=True).start()
        except RuntimeError:
            # No more threads, or the interpreter is ending: the next one asks again.
            self._fetching = None
            return None
        return running

    def _load(self, now: float) -> None:
        """Fetch once; a failure leaves the last good set as it is."""
        try:
            keys = read_jwks(self._fetch(), ALGORITHMS).keys
        except (FetchFailed, KeysRefused) as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a server provokes, held keys serve
            self._fail(f"unexpected {type(error).__name__}")
        else:
            changed = keys != self._keys
            if self._failures:
                _log.warning("the broker's keys can be fetched again")
            self._keys, self._since, self._failures = keys, now, 0
            self._due = now + REFRESH_SECONDS * (1 - _JITTER * self._jitter())
            # NOTE: last: who sees the new generation must see no older keys.
            self.generation += changed

    def _fail(self, failure: str) -> None:
        if not self._failures:
            _log.warning("the broker's keys were not fetched: %s", failure)
        self._failures += 1
        self._failed_at = self._clock()

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


def _not_now(wait: float) -> NotVerifiable:
    return NotVerifiable(
        "the broker's keys cannot be fetched now", retry_after=max(1, math.ceil(wait))
    )


_IN_THIS_PROCESS: Final[weakref.WeakSet[IssuerKeys]] = weakref.WeakSet()


def _forked() -> None:
    for keys in _IN_THIS_PROCESS:
        keys.forget_fetch()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
