"""A real HTTP server that publishes keys, well or badly, and records every request."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Self

from broker.testing.loopback import free_port
from tests.issuer_keys.jwks import document, rsa_jwk, rsa_key

DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"


@dataclass(frozen=True)
class Answer:
    """One answer; `body` may be cut off, repeated for ever, or held back until an event."""

    body: bytes = b""
    status: int = 200
    content_type: str | None = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    until: asyncio.Event | None = None
    """Nothing is sent before this."""

    endless: bool = False
    stalls: bool = False
    """The body's last byte never comes."""

    declared_length: int | None = None
    raw: bytes | None = None
    """Sent instead of everything else."""


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]


@dataclass
class KeyServer:
    """Serves `answers` by request target; everything else is 404."""

    tls: ssl.SSLContext | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _arrival: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def origin(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def publish(self, *key_ids: str, issuer: str | None = None) -> None:
        """Answer well: discovery, and one key under each of these ids."""
        metadata = {"issuer": issuer or self.origin, "jwks_uri": self.origin + KEYS}
        self.answers[DISCOVERY] = Answer(json.dumps(metadata).encode())
        self.answers[KEYS] = Answer(document(*(rsa_jwk(rsa_key(), each) for each in key_ids)))

    def targets(self) -> list[str]:
        return [request.target for request in self.requests]

    def fetches(self) -> int:
        """How often the key set was asked for."""
        return self.targets().count(KEYS)

    async def asked(self, count: int) -> None:
        """Wait until so many requests have arrived in all."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: len(self.requests) >= count)

    async def up(self) -> None:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port or free_port(), ssl=self.tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        if self._server is not None:
            self._server.close()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await run_connection(self._tasks, writer, self._serve(reader, writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_head(reader)
        async with self._arrival:
            self.requests.append(request)
            self._arrival.notify_all()
        answer = self.answers.get(request.target, Answer(b"{}", status=404))
        if answer.until is not None:
            await answer.until.wait()
        await _send(answer, writer)


async def run_connection(
    tasks: set[asyncio.Task[None]], writer: asyncio.StreamWriter, serving: Awaitable[None]
) -> None:
    """Serve one connection to its end, known to `tasks` so that the server can be stopped."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError
    tasks.add(task)
    # A client that hangs up, or the end of the test, is no failure of the server.
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
        await serving
    writer.transport.abort() if writer.is_closing() else writer.close()
    tasks.discard(task)


async def read_head(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = [line.split(": ", 1) for line in lines]
    return Request(method, target, {name.lower(): value for name, value in pairs})


async def _send(answer: Answer, writer: asyncio.StreamWriter) -> None:
    if answer.raw is not None:
        writer.write(answer.raw)
        await writer.drain()
        return
    head = [f"HTTP/1.1 {answer.status} Any", "Connection: close"]
    if answer.content_type is not None:
        head.append(f"Content-Type: {answer.content_type}")
    head += [f"{name}: {value}" for name, value in answer.headers]
    if not answer.endless:
        length = len(answer.body) if answer.declared_length is None else answer.declared_length
        head.append(f"Content-Length: {length}")
    writer.write("\r\n".join([*head, "", ""]).encode())
    if answer.stalls:
        writer.write(answer.body[:-1])
        await writer.drain()
        await asyncio.Event().wait()
    writer.write(answer.body)
    await writer.drain()
    while answer.endless:
        writer.write(answer.body)
        await writer.drain()
