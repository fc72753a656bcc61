"""What stands between a job and its broker: an end of TLS, and a proxy that is asked to connect."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextmanager
def behind_tls(url: str, context: ssl.SSLContext) -> Iterator[str]:
    """Serve what is at a URL by TLS; give the other URL."""
    target = urlsplit(url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _joined(reader, writer, str(target.hostname), target.port or 80)

    with _serving(serve, context) as port:
        yield f"https://127.0.0.1:{port}"


@contextmanager
def connect_proxy() -> Iterator[tuple[str, list[str]]]:
    """Serve a proxy (RFC 9110 §9.3.6); give its URL, and the places that it was asked for."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, place, _ = head.split(" ", 2)
        assert method == "CONNECT"
        asked.append(place)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        host, _, port = place.rpartition(":")
        await _joined(reader, writer, host, int(port))

    with _serving(serve, None) as port:
        yield f"http://127.0.0.1:{port}", asked


async def _joined(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
) -> None:
    there_reader, there_writer = await asyncio.open_connection(host, port)
    await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass  # a side that hangs up has had what it wanted
    finally:
        sink.close()


@contextmanager
def _serving(serve: Serve, context: ssl.SSLContext | None) -> Iterator[int]:
    """Serve on a free port of loopback until the block ends; give the port."""
    ready = threading.Event()
    ports: list[int] = []
    ends: list[Callable[[], object]] = []

    async def run() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
            ports.append(server.sockets[0].getsockname()[1])
            ends.append(lambda: loop.call_soon_threadsafe(ended.set))
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(60)
    try:
        yield ports[0]
    finally:
        ends[0]()
        thread.join()
