"""The programs that `scripts/setup foreign` has built, and how they are run and asked."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
BUILT: Final = ROOT / ".venv" / "foreign"
PATIENCE: Final = 90.0


def built(name: str) -> str:
    """Give the path of a program."""
    found = BUILT / name
    assert found.exists(), f"{name} is not built: `make interop`"
    return str(found)


class Asking:
    """A program that answers each JSON line with one."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Ask one thing."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "it ended: what it complained of stands above"
        told: dict[str, Any] = json.loads(line)
        return told


@contextmanager
def asking(name: str, *arguments: str) -> Iterator[Asking]:
    """Run a program until the block ends; what it complains of goes to stderr."""
    with subprocess.Popen(
        [built(name), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Asking(process)
        finally:
            process.kill()


def answers(name: str, arguments: Sequence[str], asked: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Ask a program many things and give what it accepted."""
    with asking(name, *arguments) as program:
        return [program.ask(one)["accepted"] for one in asked]


class DidNotStart(Exception):
    """The server ended before it answered; the message is what it wrote."""


@contextmanager
def serving(command: Sequence[str], log: Path, answers_at: str, **popen: Any) -> Iterator[None]:
    """Run a server until the block ends; raises DidNotStart."""
    executable = shutil.which(command[0])
    assert executable, f"{command[0]} is missing"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [executable, *command[1:]], stdout=output, stderr=subprocess.STDOUT, **popen
        ) as process,
    ):
        try:
            _wait_until(lambda: _answers(answers_at), process, log)
            yield
        finally:
            process.kill()


def _wait_until(ready: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            raise DidNotStart(log.read_text()[-4000:])
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        httpx.get(url, trust_env=False, timeout=2)
    except httpx.TransportError:
        return False
    return True
