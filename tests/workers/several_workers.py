"""`broker serve --workers N` as an operator runs it, and what tests need around it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from broker.core.vocabulary import GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from broker.stores.sqlite import SqliteStore
from broker.system import SystemClock
from broker.testing import FakeIssuer, github_claims
from broker.testing.jws import generate_key

ROOT = Path(__file__).parents[2]
GITHUB = "https://token.actions.githubusercontent.com"
AUDIENCE = "https://broker.example"

POLICIES = """\
issuers:
  github: {{preset: github, audiences: ["https://broker.example"], jwks_file: jwks.json}}
services:
  deploy-api:
    audience: https://deploy.example.com
    scopes: {{deploy:write: Start a deployment}}
    signing_alg: ES256
service_accounts:
  deploy-web: {{grants: {{deploy-api: [deploy:write], broker: ["broker:policies:*"]}}}}
policies:
  main:
    service_account: deploy-web
    issuer: github
    ttl: {minutes}m
    match: {{repository: acme/web, repository_id: 456789, ref: refs/heads/main}}
"""
BROKEN = "policies: {main: {issuer: nobody}}\n"


@cache
def platform() -> FakeIssuer:
    """Give the one issuer of all these brokers."""
    return FakeIssuer(GITHUB, key=generate_key("RS256"))


def a_token() -> str:
    return platform().token(github_claims(), audience=AUDIENCE)


def form(token: str | None = None, audience: str = "deploy-api") -> dict[str, str]:
    return {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": token or a_token(),
        "subject_token_type": TOKEN_TYPE_JWT,
        "audience": audience,
    }


class SeveralWorkers:
    """A broker of several processes, and what it has logged so far."""

    def __init__(self, home: Path, process: "subprocess.Popen[str]") -> None:
        self.home = home
        self.process = process
        self.log: list[dict[str, Any]] = []
        self._ended = False
        self._more = threading.Condition()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    # --- what it says -----------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://{self.said('serving')['listen']}"

    def said(self, words: str, *, times: int = 1, **members: Any) -> dict[str, Any]:
        """Wait until a message with these words is logged for the so manieth time."""
        with self._more:
            self._more.wait_for(
                lambda: self._ended or len(self.find(words, **members)) >= times, timeout=60
            )
        found = self.find(words, **members)
        assert len(found) >= times, (words, self.log)
        return found[times - 1]

    def find(self, words: str, **members: Any) -> list[dict[str, Any]]:
        return [
            each
            for each in list(self.log)
            if words in each["message"] and members.items() <= each.items()
        ]

    def worker(self, number: int) -> int:
        """Give the process id of the worker that has this number now."""
        last = self.find("Started server process", worker=number)[-1]
        return int(last["message"].partition("[")[2].rstrip("]"))

    def events(self) -> list[dict[str, Any]]:
        """Read the whole audit from the store."""

        async def read() -> list[dict[str, Any]]:
            store = await SqliteStore.open(self.home / "data" / "broker.db", SystemClock())
            try:
                return await store.events(limit=1_000_000)
            finally:
                await store.close()

        return asyncio.run(read())

    def printed(self) -> list[dict[str, Any]]:
        """Read the events from stdout; each line is whole."""
        return [json.loads(line) for line in (self.home / "events").read_text().splitlines()]

    # --- what is done to it -----------------------------------------------------------------------

    def write(self, *, minutes: int) -> None:
        """Write the policies, whose tokens live so long."""
        draft = self.home / "draft"
        draft.write_text(POLICIES.format(minutes=minutes))
        draft.rename(self.home / "policies" / "main.yaml")

    def signal(self, signum: int) -> None:
        self.process.send_signal(signum)

    def kill(self, number: int) -> None:
        """Kill a worker, and wait until its successor serves."""
        starts = len(self.find("Started server process", worker=number))
        os.kill(self.worker(number), signal.SIGKILL)
        self.said("Started server process", worker=number, times=starts + 1)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def close(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=60)
            finally:
                self.process.kill()
        self._reading.join()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._more:
                self.log.append(json.loads(line) if line[0] == "{" else {"message": line})
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()


def a_home(folder: Path, *, minutes: int = 1, limits: str = "off") -> Path:
    """Make a working directory with policies and the keys of the issuer."""
    (folder / "broker.yaml").write_text(f"rate_limits: {limits}\n")
    (folder / "policies").mkdir()
    (folder / "policies" / "jwks.json").write_text(json.dumps(platform().jwks()))
    (folder / "policies" / "main.yaml").write_text(POLICIES.format(minutes=minutes))
    return folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "broker", "serve", "--listen", "127.0.0.1:0", *arguments]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
    return kept | {"PYTHONPATH": str(ROOT)}


@contextmanager
def several_workers(
    home: Path, count: int = 2, *arguments: str, variables: Mapping[str, str] | None = None
) -> Iterator[SeveralWorkers]:
    """Serve by several workers until the block ends; all of them serve when it begins."""
    with (
        (home / "events").open("wb") as events,
        subprocess.Popen(
            command("--workers", str(count), *arguments),
            cwd=home,
            env=environment() | dict(variables or {}),
            stdout=events,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        broker = SeveralWorkers(home, process)
        try:
            broker.said("serving")
            yield broker
        finally:
            broker.close()


@contextmanager
def connections(url: str, count: int = 4) -> Iterator[list[httpx.Client]]:
    """Open connections that stay open: as many with each of two workers."""
    clients = [httpx.Client(base_url=url, trust_env=False, timeout=60) for _ in range(count)]
    try:
        for client in clients:
            client.get("/healthz")
        yield clients
    finally:
        for client in clients:
            client.close()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that no log tells."""
    for _ in range(6000):
        if holds():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came to hold")
