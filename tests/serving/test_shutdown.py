"""The end of a server: what is under way is answered, and nobody holds it up."""

import asyncio
import socket
from typing import Any

from starlette.types import Receive, Scope, Send

from broker.serving.server import Server

PATIENCE = 60.0
"""Seconds; a connection that held the server up would do so for twice as many."""

REQUEST = b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n"


class Slow:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        self.asked.set()
        await self.let.wait()
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})


async def test_a_connection_that_begins_during_the_end_does_not_hold_it_up() -> None:
    app, loop = Slow(), asyncio.get_running_loop()
    server = Server(app, lambda: None)
    server.config.timeout_graceful_shutdown = int(2 * PATIENCE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(REQUEST)
        await app.asked.wait()
        kind: Any = server.config.http_protocol_class
        server.stop()
        for _ in range(int(100 * PATIENCE)):
            if kind.ending:
                break
            await asyncio.sleep(0.01)

        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.settimeout(0)
            ours.settimeout(0)
            await loop.connect_accepted_socket(
                lambda: kind(config=server.config, server_state=server.server_state, app_state={}),
                ours,
            )
            assert await loop.sock_recv(theirs, 1) == b""

        app.let.set()
        answer = await reader.read()
        writer.close()
        await asyncio.wait_for(serving, PATIENCE)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"ok")
