"""One rate limit in this process: a window per key, in bounded memory."""

import asyncio
from hashlib import blake2b
from typing import Final, Protocol

from broker.core.limits import Rate, Total, Verdict, Window, allowance, count, retry_after, shared

MAX_KEYS: Final = 50_000
"""Of whom a limit keeps count. A flood of more than that drops those that asked least recently: so
many callers are allowed far more together than one that begins anew."""

_DIGEST_BYTES: Final = 16

Waiting = asyncio.Future[int]
"""The seconds that a request has to wait, known once the count is shared; 0 when it is admitted."""


class Sharing(Protocol):
    """Who shares the counts with the other processes."""

    @property
    def processes(self) -> int:
        """How many processes share."""
        ...

    def ask(self, table: "LimitTable", key: str) -> Waiting:
        """Share the count of a key, in which the request is counted last."""
        ...


class LimitTable:
    """Counts requests by key; `name` tells this limit from the others of the store."""

    def __init__(self, name: str, rate: Rate, sharing: Sharing, max_keys: int = MAX_KEYS) -> None:
        self.rate: Final = rate
        self.name: Final = name
        self._sharing = sharing
        # Two generations: who asks moves to the younger one, and the older one is forgotten whole.
        self._per_generation = max_keys // 2
        self._processes = 0
        self._unshared = 0
        self._young: dict[str, Window] = {}
        self._old: dict[str, Window] = {}

    def ask(self, key: str, now: float) -> int | Waiting:
        """Count one request; give the seconds that it has to wait, 0 when it is admitted."""
        window = self._young.get(key)
        known = window is not None
        if self._processes != self._sharing.processes:
            self._processes = self._sharing.processes
            self._unshared = allowance(self.rate, self._processes)
        verdict, window = count(window or self._old.get(key), self.rate, now, self._unshared)
        if known:
            self._young[key] = window
        else:
            self._keep(key, window)
        if verdict is Verdict.ADMITTED:
            return 0
        if verdict is Verdict.REFUSED:
            return retry_after(window.started, self.rate, now)
        return self._sharing.ask(self, key)

    def take_in(self, key: str, own: int, total: Total) -> None:
        """Know the total of all processes, in which `own` requests are counted now."""
        window = self._young.get(key) or self._old.get(key) or Window(total.started, 0, own)
        self._keep(key, shared(window, own, total))

    def window(self, key: str) -> Window | None:
        """Give what is known of a key."""
        return self._young.get(key) or self._old.get(key)

    def digest(self, key: str) -> bytes:
        """Name a key for all processes."""
        text = f"{self.name}\0{key}".encode("utf-8", "surrogatepass")
        return blake2b(text, digest_size=_DIGEST_BYTES).digest()

    def __len__(self) -> int:
        """Count what is kept."""
        return len(self._young) + len(self._old)

    def _keep(self, key: str, window: Window) -> None:
        if key not in self._young and len(self._young) >= self._per_generation:
            self._old = self._young
            self._young = {}
        self._young[key] = window
