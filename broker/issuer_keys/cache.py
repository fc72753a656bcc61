"""One issuer's keys in memory: when they are fetched, how long they count, who waits for whom."""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from broker.core.errors import Reason, Refusal, SubjectTokenRefused, Unavailable
from broker.core.issuer_keys import IssuerKeySet, KeysRefused, VerificationKey, read_jwks
from broker.core.policy import Issuer
from broker.issuer_keys.key_fetch import FetchFailed, KeyFetch
from broker.ports import NOT_MEASURED, Clock, IssuerKeyStatus, Measurements

MAX_AGE: Final = 24 * 3600
"""Seconds that keys count after the start of the fetch that brought them (contract §7)."""

REFRESH_INTERVAL: Final = 300
"""Longest time in seconds between two periodic fetches; jitter makes it up to a fifth shorter."""

MISS_COOLDOWN: Final = 30
"""Seconds in which unknown key ids cause at most one fetch (attacks row 28)."""

FIRST_PAUSE: Final = 3
LONGEST_PAUSE: Final = 30
"""Seconds between a failed fetch and the next; every further failure doubles the pause."""

_JITTER: Final = 0.2

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Held:
    keys: IssuerKeySet
    since: float
    interval: float


class IssuerKeyCache:
    """The keys of one issuer, shared by all requests.

    At most one fetch is under way; it is a task of its own, so that no request that goes away
    takes it along. `open_fetch` is called in a thread, because it may read files; `deadline` is
    the time in seconds that a whole fetch may take; `jitter` draws from 0 to 1.
    """

    def __init__(
        self,
        issuer: Issuer,
        clock: Clock,
        open_fetch: Callable[[], KeyFetch],
        *,
        deadline: float,
        jitter: Callable[[], float],
        measurements: Measurements = NOT_MEASURED,
    ) -> None:
        self._issuer = issuer
        self._clock = clock
        self._open_fetch = open_fetch
        self._deadline = deadline
        self._jitter = jitter
        self._measurements = measurements
        self._held: _Held | None = None
        self._fetch: KeyFetch | None = None
        self._flight: asyncio.Task[None] | None = None
        self._flights_begun = 0
        self._failure: str | None = None
        self._failures = 0
        self._failing_since: float | None = None
        self._failed_at = -math.inf
        self._missed_at = -math.inf
        self._asked_at = clock.now()
        self._closed = False

    async def find(self, key_id: str) -> VerificationKey:
        """Find a key by its exact `kid`; a known one is served from memory, whatever is under way.

        Raises `SubjectTokenRefused` (`key_not_found`) and `Unavailable` (`issuer_unavailable`).
        """
        self._asked_at = self._clock.now()
        begun_before = self._flights_begun
        while (key := self._known(key_id)) is None:
            flight = self._under_way()
            # A fetch that began after this request came has the last word on it.
            if flight is None and self._flights_begun == begun_before:
                flight = self._begin_for_request()
            if flight is None:
                raise self._refusal()
            await asyncio.wait((flight,))
        return key

    def begin_if_due(self) -> asyncio.Task[None] | None:
        """Begin the periodic fetch of an issuer that was loaded once; give it when it is due."""
        now = self._clock.now()
        if self._held is None or self._closed or self._under_way() is not None:
            return None
        if self._failures:
            due = self._pause_left(now) == 0
        else:
            due = abs(now - self._held.since) >= self._held.interval
        return self._begin() if due else None

    def idle_for(self) -> float:
        """Tell for how many seconds no request has asked."""
        return self._clock.now() - self._asked_at

    def status(self) -> IssuerKeyStatus:
        """Tell operators how it stands."""
        held = self._held
        return IssuerKeyStatus(
            issuer=self._issuer.name,
            usable=self._usable() is not None,
            key_ids=tuple(held.keys.keys) if held else (),
            age=self._clock.now() - held.since if held else None,
            failure=self._failure,
            failures=self._failures,
            skipped=held.keys.skipped if held else (),
            failing_since=self._failing_since,
        )

    async def close(self) -> None:
        """Abandon the fetch under way; whoever waits for it is told that the issuer is away."""
        self._closed = True
        self._failure = "no longer in use"
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait((self._flight,))
        await self._drop_fetch()

    def _usable(self) -> IssuerKeySet | None:
        held = self._held
        if held is None or abs(self._clock.now() - held.since) >= MAX_AGE:
            return None
        return held.keys

    def _known(self, key_id: str) -> VerificationKey | None:
        usable = self._usable()
        return usable.keys.get(key_id) if usable else None

    def _under_way(self) -> asyncio.Task[None] | None:
        return self._flight if self._flight and not self._flight.done() else None

    def _begin_for_request(self) -> asyncio.Task[None] | None:
        now = self._clock.now()
        if self._closed or self._wait_left(now) > 0:
            return None
        if self._usable() is not None:
            self._missed_at = now
        return self._begin()

    def _begin(self) -> asyncio.Task[None]:
        self._flights_begun += 1
        self._flight = asyncio.create_task(self._fly(), name=f"keys of {self._issuer.name}")
        return self._flight

    def _wait_left(self, now: float) -> float:
        """Give the seconds until a request may cause a fetch: after a failure, and after a miss."""
        pause = self._pause_left(now)
        return (
            pause
            if self._usable() is None
            else max(pause, _left(self._missed_at, MISS_COOLDOWN, now))
        )

    def _pause_left(self, now: float) -> float:
        if not self._failures:
            return 0
        # The exponent is bounded too: an issuer may be away for years.
        pause = min(FIRST_PAUSE * 2 ** min(self._failures - 1, 8), LONGEST_PAUSE)
        return _left(self._failed_at, pause, now)

    def _refusal(self) -> Refusal:
        if self._failure is None and self._usable() is not None:
            return SubjectTokenRefused(
                Reason.KEY_NOT_FOUND,
                "the token's issuer has no key with its 'kid'",
            )
        return Unavailable(
            Reason.ISSUER_UNAVAILABLE,
            "the keys of the token's issuer cannot be fetched now",
            retry_after=max(1, math.ceil(self._wait_left(self._clock.now()))),
        )

    async def _fly(self) -> None:
        """Fetch once and keep the keys; a failure leaves the last good set as it is."""
        begun_at = self._clock.now()
        try:
            async with asyncio.timeout(self._deadline):
                if self._fetch is None:
                    self._fetch = await asyncio.to_thread(self._open_fetch)
                document = await self._fetch.document()
            keys = read_jwks(document, self._issuer.algorithms)
        except (FetchFailed, KeysRefused) as error:
            await self._fail(str(error))
        except TimeoutError:
            await self._fail(f"no complete answer within {self._deadline:g} seconds")
        except Exception as error:  # noqa: BLE001 - whatever a server provokes, held keys still serve
            await self._fail(f"unexpected {type(error).__name__}")
        else:
            self._accept(keys, begun_at)
        self._measurements.keys_fetched(self.status(), self._held.since if self._held else None)

    def _accept(self, keys: IssuerKeySet, begun_at: float) -> None:
        skipped_before = self._held.keys.skipped if self._held else ()
        if keys.skipped != skipped_before:
            for sentence in keys.skipped:
                _log.warning("issuer '%s': skipped %s", self._issuer.name, sentence)
        if self._failure is not None:
            _log.warning("issuer '%s': its keys can be fetched again", self._issuer.name)
        self._held = _Held(keys, begun_at, REFRESH_INTERVAL * (1 - _JITTER * self._jitter()))
        self._failure = None
        self._failures = 0
        self._failing_since = None

    async def _fail(self, failure: str) -> None:
        if failure != self._failure:
            _log.warning("issuer '%s': its keys were not fetched: %s", self._issuer.name, failure)
        self._failure = failure
        self._failures += 1
        self._failed_at = self._clock.now()
        if self._failing_since is None:
            self._failing_since = self._failed_at
        # The next attempt begins with new connections: the proxy or the route may have changed.
        await self._drop_fetch()

    async def _drop_fetch(self) -> None:
        fetch, self._fetch = self._fetch, None
        if fetch is not None:
            await fetch.close()


def _left(since: float, seconds: float, now: float) -> float:
    """Give the rest of a span; a clock that was set back ends it rather than prolong it."""
    return max(0.0, seconds - abs(now - since))
