"""Load for measurements: keep-alive connections that post one body after the other."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measured:
    """One round of load: seconds of CPU of the server, and each request's latency in seconds."""

    requests: int
    cpu: float
    wall: float
    latencies: Sequence[float]
    refused: int

    @property
    def cpu_per_request(self) -> float:
        """Microseconds of the server process tree per request."""
        return self.cpu / self.requests * 1e6

    def percentile(self, share: float) -> float:
        """Give a latency in milliseconds."""
        return sorted(self.latencies)[int(share * (len(self.latencies) - 1))] * 1e3


def pin(pid: int, core: int) -> None:
    """Keep a process, and all that it has started, on one core of those there are."""
    cores = sorted(os.sched_getaffinity(0))
    for each in tree(pid):
        for thread in Path(f"/proc/{each}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {cores[core % len(cores)]})


def measure(
    pid: int,
    port: int,
    bodies: Sequence[bytes],
    connections: int = 16,
    *,
    path: str = "/oauth/token",
    rate: float | None = None,
) -> Measured:
    """Post the bodies, each once, and read the server's CPU time before and after.

    With a rate, so many are due per second, and a latency counts from when the request was due.
    """
    before, started = cpu_seconds(pid), time.perf_counter()
    latencies, refused = asyncio.run(_post_all(port, path, bodies, connections, rate))
    wall = time.perf_counter() - started
    return Measured(len(bodies), cpu_seconds(pid) - before, wall, latencies, refused)


def cpu_seconds(pid: int) -> float:
    """Give the user and system time of a process and its children, in seconds."""
    # The scheduler counts in nanoseconds, /proc/PID/stat only in hundredths of a second.
    threads = [thread for each in tree(pid) for thread in Path(f"/proc/{each}/task").iterdir()]
    return sum(int((each / "schedstat").read_text().split()[0]) for each in threads) / 1e9


def cpu_seconds_with_ended(pid: int) -> float:
    """Give the time of a process and its children that have ended, to a hundredth second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    """Give the resident memory of a process and its children, in MB."""
    return sum(map(own_resident_megabytes, tree(pid)))


def own_resident_megabytes(pid: int) -> float:
    """Give the resident memory of a process alone, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def tree(pid: int) -> list[int]:
    """List a process and all that it has started."""
    pids = [pid]
    for each in pids:
        for thread in Path(f"/proc/{each}/task").iterdir():
            pids += map(int, (thread / "children").read_text().split())
    return pids


async def _post_all(
    port: int, path: str, bodies: Sequence[bytes], connections: int, rate: float | None
) -> tuple[list[float], int]:
    waiting = iter(enumerate(bodies))
    began = time.perf_counter()
    latencies: list[float] = []
    refused = 0

    async def connection() -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number, body in waiting:
            started = time.perf_counter()
            if rate is not None:
                due = began + number / rate
                await asyncio.sleep(due - started)
                started = due
            writer.write(_head(path, body) + body)
            status = await reader.readline()
            length, closing = 0, False
            while (line := await reader.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
                closing |= name.lower() == b"connection" and b"close" in value
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - started)
            refused += b" 200 " not in status
            if closing:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(connections)))
    return latencies, refused


def _head(path: str, body: bytes) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
