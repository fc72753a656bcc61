"""`broker serve` and its policies: signals, broken starts, and what it says about itself."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.conftest import ROOT
from tests.reload.policy_folders import BASE, BROKEN, DENY, MAIN, write


class Served:
    """A `broker serve` that answers at `url`, and what it has logged so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.log: list[dict[str, Any]] = []
        self._more = threading.Condition()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()
        self.url = str(self.said("serving")["issuer"])

    def said(self, words: str) -> dict[str, Any]:
        """Wait until a message with these words is logged, from now on or before."""
        with self._more:
            found = self._more.wait_for(lambda: self._find(words), timeout=60)
        assert found, (words, self.log)
        return found

    def readiness(self) -> tuple[int, str]:
        with httpx.Client(trust_env=False, timeout=60) as http:
            answer = http.get(f"{self.url}/readyz")
        return answer.status_code, answer.json()["status"]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reading.join()

    def _find(self, words: str) -> dict[str, Any] | None:
        return next((each for each in self.log if words in each["message"]), None)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._more:
                self.log.append(json.loads(line))
                self._more.notify_all()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write(tmp_path / "policies", base_yaml=BASE, main_yaml=MAIN, deny_yaml=DENY)
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "broker", "serve", "--listen", "127.0.0.1:0", *arguments]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
    return kept | {"PYTHONPATH": str(ROOT)}


@contextmanager
def serving(home: Path, *arguments: str, **options: Any) -> Iterator[Served]:
    process = subprocess.Popen(
        command(*arguments),
        cwd=home,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    with process:
        try:
            served = Served(process)
            yield served
        finally:
            process.kill()
        served.close()


def refused(home: Path, *arguments: str) -> str:
    ended = subprocess.run(
        command(*arguments),
        cwd=home,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_sighup_reloads_and_forces_what_a_change_alone_does_not(home: Path) -> None:
    with serving(home) as served:
        (home / "policies" / "deny.yaml").unlink()
        served.said("deny policies would be gone: `no-forks`")
        assert served.readiness() == (200, "degraded")

        served.process.send_signal(signal.SIGHUP)
        served.said("the deny policy 'no-forks' is gone")
        served.said("the policy files are in force again")
        assert served.readiness() == (200, "ready")
        assert served.stop() == 0


def test_a_broken_change_is_loud_and_degraded_until_it_is_mended(home: Path) -> None:
    with serving(home) as served:
        write(home / "policies", main_yaml=BROKEN)
        problem = served.said("policies/main.yaml:2:47: there is no issuer `nobody`")
        assert problem["level"] == "error"
        assert served.readiness() == (200, "degraded")

        write(home / "policies", main_yaml=MAIN)
        served.said("the policy files are in force again")
        assert served.readiness() == (200, "ready")


def test_a_start_with_broken_files_runs_the_last_good_set(home: Path) -> None:
    with serving(home) as served:
        assert served.readiness() == (200, "ready")
        assert served.stop() == 0
    write(home / "policies", main_yaml=BROKEN)
    with serving(home) as served:
        served.said("there is no issuer `nobody`")
        served.said("the policy files are not in force")
        assert served.readiness() == (200, "degraded")


def test_a_start_without_the_folder_runs_the_last_good_set_too(home: Path) -> None:
    with serving(home) as served:
        assert served.stop() == 0
    (home / "policies").rename(home / "unmounted")
    with serving(home) as served:
        assert served.readiness() == (200, "degraded")


def test_a_first_start_with_broken_files_ends_and_leaves_nothing_behind(home: Path) -> None:
    write(home / "policies", main_yaml=BROKEN)

    said = refused(home)

    assert "policies/main.yaml:2:47: there is no issuer `nobody`" in said
    assert [each.name for each in home.iterdir()] == ["policies"]


def test_a_first_start_without_the_folder_says_where_it_was_looked_for(home: Path) -> None:
    (home / "policies").rename(home / "elsewhere")

    assert "broker.yaml: policies: there is no folder" in refused(home)
    assert [each.name for each in home.iterdir()] == ["elsewhere"]


def test_a_start_with_broken_files_and_no_set_in_the_store_ends(home: Path) -> None:
    with serving(home) as served:
        assert served.stop() == 0
    for file in (home / "data").glob("broker.db*"):
        file.unlink()
    write(home / "policies", main_yaml=BROKEN)

    assert "there is no issuer `nobody`" in refused(home)


def test_a_broker_for_development_runs_its_last_good_set_as_well(home: Path) -> None:
    dev = ("--dev", "--dev-listen", "127.0.0.1:0")
    write(
        home / "policies" / "dev",
        dev_yaml=MAIN.replace("main:", "dev:", 1).replace("issuer: github", "issuer: dev-github"),
    )
    with serving(home, *dev) as served:
        assert served.readiness() == (200, "ready")
        assert served.stop() == 0
    write(home / "policies" / "dev", dev_yaml=BROKEN)
    with serving(home, *dev) as served:
        served.said("there is no issuer `nobody`")
        assert served.readiness() == (200, "degraded")


@contextmanager
def a_terminal() -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """Give a way to take a terminal for a process that begins, and one to close the terminal."""
    ours, of_broker = pty.openpty()
    open_ends = [ours, of_broker]

    def take() -> None:
        os.setsid()
        fcntl.ioctl(of_broker, termios.TIOCSCTTY, 0)

    def close() -> None:
        while open_ends:
            os.close(open_ends.pop())

    yield take, close
    close()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_broker_ends_with_the_terminal_that_it_was_started_from(home: Path, workers: str) -> None:
    with (
        a_terminal() as (take, close),
        serving(home, "--workers", workers, preexec_fn=take) as served,
    ):
        close()

        assert served.process.wait(timeout=60) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_terminal_that_is_still_there_is_no_reason_to_end(home: Path, workers: str) -> None:
    with a_terminal() as (take, _), serving(home, "--workers", workers, preexec_fn=take) as served:
        (home / "policies" / "deny.yaml").unlink()
        served.process.send_signal(signal.SIGHUP)

        served.said("the deny policy 'no-forks' is gone")
        assert served.readiness() == (200, "ready")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_broker_that_ignores_the_end_of_its_terminal_reloads(home: Path, workers: str) -> None:
    def take_as_nohup() -> None:
        take()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with (
        a_terminal() as (take, close),
        serving(home, "--workers", workers, preexec_fn=take_as_nohup) as served,
    ):
        (home / "policies" / "deny.yaml").unlink()
        close()

        served.said("the deny policy 'no-forks' is gone")
        assert served.readiness() == (200, "ready")
