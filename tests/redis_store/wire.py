"""What lies between a broker and its server: slow, encrypted, losing answers, changing servers."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Wire:
    """Passes on what comes, to one server."""

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self.delay = 0.0
        self.scripts = 0
        """So many were sent by it."""

        self.answers_lost = 0
        """So many answers to scripts are lost, and their connections with them."""

        self.answer_instead: bytes | None = None
        """What comes once in place of the answer to a script, or to what is asked of a Sentinel."""

        self._server_port = server_port
        self._replaced = False
        self._whole = True
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def change_server(self, server_port: int) -> None:
        """Lead to this server from now on; connections that are open stay."""
        self._server_port = server_port

    def lead_to(self, server_port: int) -> None:
        """Cut all connections; others lead to this server."""
        self.change_server(server_port)
        for each in self._open:
            each.close()

    async def lay(self, *, whole: bool) -> None:
        """Cut it, with all that goes over it, or mend it."""
        self._whole = whole
        for each in () if whole else tuple(self._open):
            each.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
        cut = asyncio.Event()
        self._open |= {writer, back}
        try:
            await asyncio.gather(
                self._requests(reader, back, cut), self._answers(there, writer, cut)
            )
        except (OSError, asyncio.CancelledError):
            # Also at the end of a test, which leaves no connection behind.
            return
        finally:
            self._open -= {writer, back}
            for each in (writer, back):
                each.close()
                with contextlib.suppress(OSError):
                    await each.wait_closed()

    async def _requests(
        self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        while part := await reader.read(1 << 20):
            self.scripts += part.count(b"EVALSHA") + part.count(b"EVAL\r\n")
            if self.answers_lost and (b"EVALSHA" in part or b"EVAL\r\n" in part):
                self.answers_lost -= 1
                cut.set()
            if self.answer_instead is not None and any(
                word in part for word in (b"EVALSHA", b"EVAL\r\n", b"SENTINEL")
            ):
                self._replaced = True
            back.write(part)
            await back.drain()
        back.close()

    async def _answers(
        self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        while part := await there.read(1 << 20):
            if cut.is_set():
                break
            await asyncio.sleep(self.delay)
            if self._replaced and self.answer_instead is not None:
                part, self.answer_instead, self._replaced = self.answer_instead, None, False
            writer.write(part)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def wire_to(
    server_port: int, certificate: ssl.SSLContext | None = None
) -> AsyncIterator[Wire]:
    """Lay a wire, encrypted on the side of the broker if there is a certificate."""
    wire = Wire(server_port)
    listening = await asyncio.start_server(wire.serve, "127.0.0.1", 0, ssl=certificate)
    wire.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield wire
        listening.close()
