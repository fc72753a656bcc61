"""One issuer's keys in memory: when they are fetched, how long they count, who waits for whom.

What was fetched is kept in the store for the other processes and for after a restart, beside the
requests. The store is asked where no key fits, before a fetch: a request with a known key never
waits for it.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final

from broker.core.errors import Reason, Refusal, SubjectTokenRefused, Unavailable
from broker.core.issuer_keys import IssuerKeySet, KeysRefused, VerificationKey, read_jwks
from broker.core.kept_keys import MAX_AGE, KeptKeys, counts, supersedes
from broker.core.policy import Issuer
from broker.issuer_keys.key_fetch import FetchFailed, KeyFetch
from broker.ports import NOT_MEASURED, Clock, IssuerKeyKeeping, IssuerKeyStatus, Measurements

REFRESH_INTERVAL: Final = 300
"""Longest time in seconds between two periodic fetches; jitter makes it up to a fifth shorter."""

MISS_COOLDOWN: Final = 30
"""Seconds in which unknown key ids cause at most one fetch (attacks row 28)."""

FIRST_PAUSE: Final = 3
LONGEST_PAUSE: Final = 30
"""Seconds between a failed fetch and the next; every further failure doubles the pause."""

KEEPING_SECONDS: Final = 2.0
"""For so long the end waits for a set that is being kept."""

_JITTER: Final = 0.2

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Held:
    keys: IssuerKeySet
    since: float
    interval: float
    uploaded: bool = False


class IssuerKeyCache:
    """The keys of one issuer, shared by all requests.

    At most one fetch, or look at what is kept, is under way; it is a task of its own, so that no
    request that goes away takes it along. `open_fetch` is called in a thread, because it may read
    files; `deadline` is the time in seconds that a whole fetch may take; `jitter` draws from 0 to
    1. Without `keeping` nothing is kept beyond this process.
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
        keeping: IssuerKeyKeeping | None = None,
    ) -> None:
        self.issuer = issuer
        self._clock = clock
        self._open_fetch = open_fetch
        self._deadline = deadline
        self._jitter = jitter
        self._measurements = measurements
        self._keeping = keeping
        self._keeper: asyncio.Task[None] | None = None
        self._to_keep: KeptKeys | None = None
        self._kept_in_vain = False
        self._held: _Held | None = None
        self._fetch: KeyFetch | None = None
        self._flight: asyncio.Task[None] | None = None
        self._fetches_begun = 0
        self._looked_before: int | None = None
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
        begun_before = self._fetches_begun
        while (key := self._known(key_id)) is None:
            flight = self._under_way()
            # A fetch that began after this request came has the last word on it.
            if flight is None and self._fetches_begun == begun_before:
                flight = self._begin_for_request()
            if flight is None:
                raise self._refusal()
            await asyncio.wait((flight,))
        return key

    def adopt(self, kept: KeptKeys) -> bool:
        """Take over a set that was kept, if it counts and is newer; tell whether it is held."""
        now, held = self._clock.now(), self._held
        if not counts(kept.since, now):
            return False
        if held is not None and not supersedes(kept.since, held.since, now):
            return False
        try:
            keys = read_jwks(kept.document, self.issuer.algorithms)
        except KeysRefused as error:
            # It was read before it was kept, maybe by another version.
            _log.warning("issuer '%s': its kept keys are not used: %s", self.issuer.name, error)
            return False
        self._held = _Held(keys, kept.since, self._interval(), kept.uploaded)
        return True

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
            issuer=self.issuer.name,
            usable=self._usable() is not None,
            key_ids=tuple(held.keys.keys) if held else (),
            age=self._clock.now() - held.since if held else None,
            failure=self._failure,
            failures=self._failures,
            skipped=held.keys.skipped if held else (),
            failing_since=self._failing_since,
            uploaded=held is not None and held.uploaded,
        )

    async def close(self) -> None:
        """Abandon the fetch under way; whoever waits for it is told that the issuer is away."""
        self._closed = True
        self._failure = "no longer in use"
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait((self._flight,))
        if self._keeper is not None:
            await asyncio.wait((self._keeper,), timeout=KEEPING_SECONDS)
            self._keeper.cancel()
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
        if self._keeping is not None and self._looked_before != self._fetches_begun:
            # Once before each fetch: no flood of unknown key ids asks the store more often.
            self._looked_before = self._fetches_begun
            return self._fly(self._look(self._keeping))
        if self._usable() is not None:
            self._missed_at = now
        return self._begin()

    def _begin(self) -> asyncio.Task[None]:
        self._fetches_begun += 1
        return self._fly(self._fetch_once())

    def _fly(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        self._flight = asyncio.create_task(work, name=f"keys of {self.issuer.name}")
        return self._flight

    async def _look(self, keeping: IssuerKeyKeeping) -> None:
        """Look whether a newer set is kept; where none was usable, fetch behind it as well."""
        had_none = self._usable() is None
        if await self._adopt_kept(keeping) and had_none and not self._closed:
            self._begin()

    async def _adopt_kept(self, keeping: IssuerKeyKeeping) -> bool:
        try:
            [kept] = await keeping.kept((self.issuer,))
        except Unavailable:
            return False
        return kept is not None and self.adopt(kept)

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

    async def _fetch_once(self) -> None:
        """Fetch once and keep the keys; a failure leaves the last good set as it is."""
        begun_at, held_before = self._clock.now(), self._held
        try:
            async with asyncio.timeout(self._deadline):
                if self._fetch is None:
                    self._fetch = await asyncio.to_thread(self._open_fetch)
                document = await self._fetch.document()
            keys = read_jwks(document, self.issuer.algorithms)
        except (FetchFailed, KeysRefused) as error:
            await self._fail(str(error))
        except TimeoutError:
            await self._fail(f"no complete answer within {self._deadline:g} seconds")
        except Exception as error:  # noqa: BLE001 - whatever a server provokes, held keys still serve
            await self._fail(f"unexpected {type(error).__name__}")
        else:
            self._accept(keys, begun_at, held_before)
            self._keep_beside(KeptKeys(document, begun_at))
        self._measurements.keys_fetched(self.status(), self._held.since if self._held else None)

    def _accept(self, keys: IssuerKeySet, begun_at: float, held_before: _Held | None) -> None:
        skipped_before = self._held.keys.skipped if self._held else ()
        if keys.skipped != skipped_before:
            for sentence in keys.skipped:
                _log.warning("issuer '%s': skipped %s", self.issuer.name, sentence)
        if self._failure is not None:
            _log.warning("issuer '%s': its keys can be fetched again", self.issuer.name)
        held = self._held
        # What was taken over meanwhile may be of later than the beginning of this fetch.
        if held is None or held is held_before or begun_at >= held.since:
            self._held = _Held(keys, begun_at, self._interval())
        self._failure = None
        self._failures = 0
        self._failing_since = None

    def _interval(self) -> float:
        return REFRESH_INTERVAL * (1 - _JITTER * self._jitter())

    def _keep_beside(self, fetched: KeptKeys) -> None:
        """Begin to keep a set; nobody waits for that."""
        if self._keeping is None:
            return
        self._to_keep = fetched
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(
                self._keep(self._keeping), name=f"keeping keys of {self.issuer.name}"
            )

    async def _keep(self, keeping: IssuerKeyKeeping) -> None:
        """Keep the last set that was fetched, and the one that came meanwhile."""
        while (fetched := self._to_keep) is not None:
            self._to_keep = None
            try:
                await keeping.keep(self.issuer, fetched, self._clock.now())
            except Unavailable as error:
                # Once, until it is kept again: what is fetched serves all the same.
                if not self._kept_in_vain:
                    _log.warning(
                        "issuer '%s': its keys are not kept: %s",
                        self.issuer.name,
                        error.description,
                    )
                self._kept_in_vain = True
            else:
                self._kept_in_vain = False

    async def _fail(self, failure: str) -> None:
        if failure != self._failure:
            _log.warning("issuer '%s': its keys were not fetched: %s", self.issuer.name, failure)
        self._failure = failure
        self._failures += 1
        self._failed_at = self._clock.now()
        if self._failing_since is None:
            self._failing_since = self._failed_at
        # The next attempt begins with new connections: the proxy or the route may have changed.
        await self._drop_fetch()
        if self._keeping is not None:
            # Another process may have come by newer ones.
            await self._adopt_kept(self._keeping)

    async def _drop_fetch(self) -> None:
        fetch, self._fetch = self._fetch, None
        if fetch is not None:
            await fetch.close()


def _left(since: float, seconds: float, now: float) -> float:
    """Give the rest of a span; a clock that was set back ends it rather than prolong it."""
    return max(0.0, seconds - abs(now - since))
