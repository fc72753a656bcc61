"""All issuers' keys: each issuer has its own cache, and only issuers in use are ever asked."""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from broker.core.issuer_keys import VerificationKey
from broker.core.kept_keys import MAX_AGE
from broker.core.policy import Issuer, KeySource
from broker.issuer_keys.cache import IssuerKeyCache
from broker.issuer_keys.document_keys import DocumentKeys
from broker.ports import NOT_MEASURED, Clock, IssuerKeyKeeping, IssuerKeyStatus, Measurements

if TYPE_CHECKING:
    from broker.issuer_keys.key_fetch import KeyFetch

FETCH_DEADLINE: Final = 10.0
"""Seconds that discovery and key set together may take."""

_CHECK_EVERY: Final = 5.0

_Identity = tuple[str, str, KeySource, frozenset[str]]


class HttpIssuerKeys:
    """The port `IssuerKeySource` over HTTP, or over configured key files.

    Keys are kept per issuer as configured (name, URL, source, algorithms): after a reload that
    changes one of these, nothing of before is used (attacks rows 21, 22). `rng` draws from 0 to 1
    and spreads the periodic fetches of many workers; `fetch_deadline` is in seconds. What is
    fetched is kept by `keeping`, if given.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        broker_on_loopback: bool,
        rng: Callable[[], float] = random.random,
        fetch_deadline: float = FETCH_DEADLINE,
        measurements: Measurements = NOT_MEASURED,
        keeping: IssuerKeyKeeping | None = None,
    ) -> None:
        self._clock = clock
        self._keeping = keeping
        self._broker_on_loopback = broker_on_loopback
        self._rng = rng
        self._fetch_deadline = fetch_deadline
        self._measurements = measurements
        self._caches: dict[_Identity, IssuerKeyCache] = {}
        self._documents: dict[_Identity, DocumentKeys] = {}

    async def find(self, issuer: Issuer, key_id: str) -> VerificationKey:
        """Find a key of this issuer by its exact `kid`.

        Raises `SubjectTokenRefused` (`key_not_found`) and `Unavailable` (`issuer_unavailable`).
        """
        if issuer.keys.document is not None:
            return self._document(issuer, issuer.keys.document).find(key_id)
        return await self._cache(issuer).find(key_id)

    async def refresh_due(self) -> None:
        """Fetch anew the keys of every issuer in use whose jittered five minutes have passed.

        Issuers that were never asked for are left alone; one that nobody asked for in 24 hours is
        forgotten. Returns when the fetches have ended; their failures are logged, not raised.
        """
        for identity, cache in list(self._caches.items()):
            if cache.idle_for() > MAX_AGE:
                del self._caches[identity]
                await cache.close()
        flights = [flight for cache in self._caches.values() if (flight := cache.begin_if_due())]
        if flights:
            await asyncio.wait(flights)

    async def refresh(self) -> None:
        """Take over what is kept and newer, of the issuers in use. Raises `Unavailable`.

        It is called when the state has changed: an operator may have uploaded keys.
        """
        if self._keeping is None:
            return
        caches = list(self._caches.values())
        kept = await self._keeping.kept([cache.issuer for cache in caches])
        for cache, keys in zip(caches, kept, strict=True):
            if keys is not None:
                cache.adopt(keys)

    async def run(self) -> None:
        """Refresh for ever; the server's lifespan starts and cancels it."""
        while True:
            await self.refresh_due()
            await asyncio.sleep(_CHECK_EVERY)

    async def retain(self, issuers: Iterable[Issuer]) -> None:
        """Forget every issuer but these: after a reload, no host of before is contacted again."""
        wanted = {_identity(issuer) for issuer in issuers}
        for identity in self._documents.keys() - wanted:
            del self._documents[identity]
        gone = self._caches.keys() - wanted
        await asyncio.gather(*(self._caches.pop(identity).close() for identity in gone))

    def status(self) -> tuple[IssuerKeyStatus, ...]:
        """Tell how it stands with every issuer in use, by name."""
        every = [keys.status() for keys in self._caches.values()]
        every += [keys.status() for keys in self._documents.values()]
        return tuple(sorted(every, key=lambda status: status.issuer))

    async def close(self) -> None:
        """Abandon the fetches under way and close every connection."""
        await self.retain(())

    def _document(self, issuer: Issuer, document: bytes) -> DocumentKeys:
        identity = _identity(issuer)
        keys = self._documents.get(identity)
        if keys is None:
            keys = self._documents[identity] = DocumentKeys(issuer, document)
        return keys

    def _cache(self, issuer: Issuer) -> IssuerKeyCache:
        identity = _identity(issuer)
        cache = self._caches.get(identity)
        if cache is None:
            cache = self._caches[identity] = IssuerKeyCache(
                issuer,
                self._clock,
                lambda: self._open_fetch(issuer),
                deadline=self._fetch_deadline,
                jitter=self._rng,
                measurements=self._measurements,
                keeping=self._keeping,
            )
        return cache

    def _open_fetch(self, issuer: Issuer) -> "KeyFetch":
        # A broker that starts has no use for an HTTP client yet, which takes 90 ms to import.
        from broker.issuer_keys.http_fetch import HttpFetch  # noqa: PLC0415

        return HttpFetch(issuer, broker_on_loopback=self._broker_on_loopback)


def _identity(issuer: Issuer) -> _Identity:
    return issuer.name, issuer.url, issuer.keys, issuer.algorithms
