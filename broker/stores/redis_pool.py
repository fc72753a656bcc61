"""Connections for reading, each used by one query at a time and kept for the next."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from broker.core.redis_address import RedisAddress
from broker.stores.redis_link import Link, LinkLost, LinkRefused, open_link

MAX_KEPT: Final = 16

Result = TypeVar("Result")


class LinkPool:
    """Reads for one event loop."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._kept: list[Link] = []
        self._closed = False
        self._drops = 0

    async def read(self, query: Callable[[Link], Awaitable[Result]]) -> Result:
        """Run a query. Raises `LinkLost` and `LinkRefused`."""
        if self._closed:
            raise LinkLost("the store is closed")
        while self._kept:
            link = self._kept.pop()
            if not link.usable:
                continue
            try:
                return await self._on(link, query)
            except LinkLost:
                # A kept connection may have ended long ago, and to read twice harms nobody.
                break
        return await self._on(await open_link(self._address), query)

    async def drop(self) -> None:
        """Let go of the connections that are kept: there may be another server now."""
        kept, self._kept = self._kept, []
        self._drops += 1
        for link in kept:
            await link.close()

    async def close(self) -> None:
        """Let go of all connections, now and after the queries that are under way."""
        self._closed = True
        await self.drop()

    async def _on(self, link: Link, query: Callable[[Link], Awaitable[Result]]) -> Result:
        drops = self._drops
        try:
            result = await query(link)
        except LinkRefused:
            await self._keep(link, drops)
            raise
        except BaseException:
            # Whoever asked may be gone, while answers are still on their way.
            await link.close()
            raise
        await self._keep(link, drops)
        return result

    async def _keep(self, link: Link, drops: int) -> None:
        if self._closed or drops != self._drops or len(self._kept) >= MAX_KEPT:
            await link.close()
        elif link.usable:
            self._kept.append(link)
