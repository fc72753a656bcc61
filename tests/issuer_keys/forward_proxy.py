"""A real forward proxy: absolute-form GET and CONNECT, recording what passes through."""

import asyncio
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from tests.issuer_keys.key_server import Request, read_head, run_connection


@dataclass
class ForwardProxy:
    """Lets through what carries `authorization`, when that is set; refuses all else with 407."""

    authorization: str | None = None
    hosts: dict[str, int] = field(default_factory=dict)
    """Hosts that only this proxy reaches: the ports on this machine where they are."""

    requests: list[Request] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, userinfo: str = "") -> str:
        return f"http://{userinfo}127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)
            await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await run_connection(self._tasks, writer, self._serve(reader, writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_head(reader)
        self.requests.append(request)
        if self.authorization not in (None, request.headers.get("proxy-authorization")):
            writer.write(b"HTTP/1.1 407 Denied\r\nContent-Length: 0\r\n\r\n")
            return
        if request.method == "CONNECT":
            host, _, port = request.target.rpartition(":")
            if host in self.hosts:
                host, port = "127.0.0.1", str(self.hosts[host])
            upstream_reader, upstream_writer = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            url = urlsplit(request.target)
            upstream_reader, upstream_writer = await asyncio.open_connection(url.hostname, url.port)
            lines = [f"GET {url.path} HTTP/1.1"]
            lines += [
                f"{name}: {value}"
                for name, value in request.headers.items()
                if not name.startswith("proxy-")
            ]
            upstream_writer.write("\r\n".join([*lines, "", ""]).encode())
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, upstream_writer))
                both.create_task(_copy(upstream_reader, writer))
        finally:
            upstream_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()
