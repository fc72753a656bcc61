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
    """Keep a process, its threads and what they start on one core, if there are several."""
    cores = sorted(os.sched_getaffinity(0))
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {cores[core % len(cores)]})


def measure(
    pid: int,
    port: int,
    bodies: Sequence[bytes],
    connections: int = 16,
    *,
    rate: float | None = None,
) -> Measured:
    """Post the bodies, each once, and read the server's CPU time before and after.

    With a rate, so many are due per second, and a latency counts from when the request was due.
    """
    before, started = cpu_seconds(pid), time.perf_counter()
    latencies, refused = asyncio.run(_post_all(port, bodies, connections, rate))
    wall = time.perf_counter() - started
    return Measured(len(bodies), cpu_seconds(pid) - before, wall, latencies, refused)


def cpu_seconds(pid: int) -> float:
    """Give the user and system time of a process and its children, in seconds."""
    nanoseconds = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        # The scheduler counts in nanoseconds, /proc/PID/stat only in hundredths of a second.
        nanoseconds += int((thread / "schedstat").read_text().split()[0])
        for child in (thread / "children").read_text().split():
            nanoseconds += int(cpu_seconds(int(child)) * 1e9)
    return nanoseconds / 1e9


def cpu_seconds_with_ended(pid: int) -> float:
    """Give the time of a process and its children that have ended, to a hundredth second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    """Give the resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def _post_all(
    port: int, bodies: Sequence[bytes], connections: int, rate: float | None
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
            writer.write(_head(body) + body)
            status = await reader.readline()
            length = 0
            while (line := await reader.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - started)
            refused += b" 200 " not in status
        writer.close()

    await asyncio.gather(*(connection() for _ in range(connections)))
    return latencies, refused


def _head(body: bytes) -> bytes:
    return (
        b"POST /oauth/token HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n"
    )
