"""What the operating system says of a process of the broker."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
# Places in /proc/PID/stat behind the name, which may hold anything (proc_pid_stat(5)).
_USER_TIME, _SYSTEM_TIME, _START, _RESIDENT = 11, 12, 19, 21


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """CPU time in seconds, memory in bytes, and the start in seconds since the epoch."""

    cpu: float
    memory: float
    started: float


def figures_of(process: int, proc: Path = Path("/proc")) -> ProcessFigures | None:
    """Look a process up; None when it has ended, and where the system tells it otherwise."""
    try:
        text = (proc / str(process) / "stat").read_text(errors="replace")
        booted = _booted(proc)
        fields = text.rpartition(")")[2].split()
        cpu = (int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])) / _TICKS
        started = booted + int(fields[_START]) / _TICKS
        return ProcessFigures(cpu, float(int(fields[_RESIDENT]) * _PAGE), started)
    except (OSError, ValueError, IndexError):
        return None


def _booted(proc: Path) -> float:
    for line in (proc / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    raise ValueError("the time of the start of the system is not told")
