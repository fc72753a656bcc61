"""The figures of all workers, in memory that each of them sees; made before they are forked.

A worker writes to its own block alone, and whoever reads adds the blocks up. A block outlives its
worker: the successor counts on where the killed one ended, so that nothing is lost or counted
twice, and there are no files to clear away.

A block is a list of records: how long its name and how many its cells are, the name, the cells.
"""

import json
import mmap
import struct
from collections.abc import Iterable, Iterator
from typing import Final

from broker.metrics.definitions import KEYS_FETCHED_AT, RECORDED, Kind

Series = tuple[str, ...]
"""The name of a metric, and the values of its labels in order."""

BLOCK_BYTES: Final = 1024 * 1024
"""For each worker; memory that is never written to takes no room."""

CONFIGURED_BYTES: Final = 768 * 1024
"""How far series with names of the configuration may fill a block: what has a bounded number of
series always finds room."""

_CELL: Final = 8
_USED, _PROCESS, _FIRST = 0, 1, 2
_HEADER: Final = struct.Struct("=II")
_METRICS: Final = {metric.name: metric for metric in RECORDED}


class Board:
    """A block for each worker, by number."""

    def __init__(self, workers: int, block_bytes: int = BLOCK_BYTES) -> None:
        memory = memoryview(mmap.mmap(-1, workers * block_bytes))
        self._blocks = [
            Block(memory[number * block_bytes : (number + 1) * block_bytes])
            for number in range(workers)
        ]

    def block(self, worker: int) -> "Block":
        """Give the block of a worker."""
        return self._blocks[worker]

    def blocks(self) -> "list[Block]":
        """Give all blocks."""
        return self._blocks


class Block:
    """The figures of one worker: of the process that has its number, and of those before."""

    def __init__(self, memory: memoryview) -> None:
        self._bytes = memory
        self._numbers = memory.cast("Q")
        self.cells = memory.cast("d")
        self._numbers[_USED] = _FIRST

    @property
    def process(self) -> int:
        """The id of the process that writes here; 0 when there was none."""
        return self._numbers[_PROCESS]

    def begin(self, process: int) -> dict[Series, int]:
        """Take over what a predecessor left: its counts, not the state it was in.

        Gives the place of the first cell of each series.
        """
        self._numbers[_PROCESS] = process
        places = {}
        for series, place in self._records():
            places[series] = place
            if _METRICS[series[0]].kind is Kind.GAUGE:
                self.cells[place] = 0.0
        return places

    def add(self, series: Series) -> int | None:
        """Make room for a series; give the place of its first cell, None when there is no room."""
        metric = _METRICS[series[0]]
        name = json.dumps(series, separators=(",", ":")).encode()
        padded = name.ljust(-(-len(name) // _CELL) * _CELL)
        used = self._numbers[_USED]
        place = used + 1 + len(padded) // _CELL
        end = place + metric.cells
        limit = min(CONFIGURED_BYTES, len(self._bytes)) if metric.names_configured else None
        if end * _CELL > (limit or len(self._bytes)):
            return None
        begin = used * _CELL
        self._bytes[begin : begin + _CELL] = _HEADER.pack(len(name), metric.cells)
        self._bytes[begin + _CELL : place * _CELL] = padded
        for cell in range(place, end):
            self.cells[cell] = 0.0
        # Last, so that nobody reads, or takes over, what is not whole.
        self._numbers[_USED] = end
        return place

    def read(self) -> Iterator[tuple[Series, list[float]]]:
        """Give every series with its cells."""
        for series, place in self._records():
            yield series, list(self.cells[place : place + _METRICS[series[0]].cells])

    def _records(self) -> Iterator[tuple[Series, int]]:
        end, position = self._numbers[_USED], _FIRST
        while position < end:
            begin = position * _CELL
            length, cells = _HEADER.unpack(self._bytes[begin : begin + _CELL])
            name = bytes(self._bytes[begin + _CELL : begin + _CELL + length])
            place = position + 1 + -(-length // _CELL)
            yield tuple(json.loads(name)), place
            position = place + cells


def together(blocks: Iterable[Block]) -> dict[Series, list[float]]:
    """Read all blocks, and put together what is said of a series in several."""
    whole: dict[Series, list[float]] = {}
    for block in blocks:
        for series, cells in block.read():
            before = whole.get(series)
            whole[series] = cells if before is None else _both(series, before, cells)
    return whole


def _both(series: Series, one: list[float], other: list[float]) -> list[float]:
    metric = _METRICS[series[0]]
    if metric.kind is not Kind.GAUGE:
        return [sum(each) for each in zip(one, other, strict=True)]
    if metric is KEYS_FETCHED_AT:
        # The oldest; a worker that has fetched none has none.
        known = [each for each in (*one, *other) if each]
        return [min(known, default=0.0)]
    return [max(*one, *other)]
