"""Short queries that requests wait for, on a connection that is kept."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import apsw

from broker.stores.in_batches import InBatches
from broker.stores.sqlite_file import file_identity, open_for_reading, require_same_file

Result = TypeVar("Result")
Query = Callable[[apsw.Connection], Any]


class ShortQueries:
    """Reads for one event loop; what is asked together is read together, in a thread."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened before the first query; the file is there already."""
        self._path = path
        self._file = file_identity(path)
        self._batches = InBatches[Query, Any](self._read_all)
        self._kept: apsw.Connection | None = None
        self._closed = False

    async def read(self, query: Callable[[apsw.Connection], Result]) -> Result:
        """Run a query that takes microseconds. Raises `apsw.Error`."""
        if self._closed:
            raise apsw.ConnectionClosedError("the store is closed")
        result: Result = await self._batches.ask(query)
        return result

    async def close(self) -> None:
        """Answer what waits, and let go of the file."""
        self._closed = True
        await self._batches.close()
        await asyncio.to_thread(self._drop)

    async def _read_all(self, queries: Sequence[Query]) -> Sequence[Any]:
        return await asyncio.to_thread(self._run, queries)

    def _run(self, queries: Sequence[Query]) -> Sequence[Any]:
        try:
            connection = self._connection()
            # One transaction, begun after the last of them was asked.
            connection.execute("BEGIN")
            try:
                return [query(connection) for query in queries]
            finally:
                connection.execute("COMMIT")
        except apsw.Error:
            self._drop()
            raise

    def _connection(self) -> apsw.Connection:
        # Another file knows of no revocation in this one.
        require_same_file(self._path, self._file)
        if self._kept is None:
            self._kept = open_for_reading(self._path)
        return self._kept

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None
