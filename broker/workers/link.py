"""A worker's end of the line to the supervisor, and through it to the other workers."""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from typing import Any, Final

from broker.core.errors import ConfigurationError
from broker.messages import Message, MessageBroken
from broker.workers.frames import Frames, frame
from broker.workers.words import ANSWER, GONE, PROBLEMS, SUPERVISOR

_CHUNK: Final = 256 * 1024

Handler = Callable[[Message], Awaitable[Mapping[str, Any]]]
"""Serves one kind of message; its result is the body of the answer."""

logger = logging.getLogger(__name__)


class Unanswered(Exception):
    """Who was asked is gone, failed, or took too long."""


class Link:
    """Sends, asks, and serves what is asked; `lost` is set when the supervisor is gone."""

    def __init__(self, number: int, end: socket.socket) -> None:
        self.number = number
        self.lost = asyncio.Event()
        self._end = end.dup()
        self._end.settimeout(0)
        self._handlers: dict[str, Handler] = {}
        self._numbers = count(1)
        self._answers: dict[str, tuple[list[Message], asyncio.Future[None]]] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()

    def serve(self, kind: str, handler: Handler) -> None:
        """Serve a kind of message from now on; before `run`, nothing is missed."""
        self._handlers[kind] = handler

    async def ask(
        self,
        to: int | str,
        kind: str,
        body: Mapping[str, Any] | None = None,
        parts: Sequence[bytes] = (),
        *,
        seconds: float,
        retained: bool = False,
    ) -> list[Message]:
        """Send a message, and give the answers of all who got it and are still there.

        A `retained` one is also heard by workers that are started later. Raises `Unanswered` when
        one failed, or some have not answered after so many seconds.
        """
        if self.lost.is_set():
            raise Unanswered("the supervisor is gone")
        # Unlike those of another process that had this number before.
        identifier = f"{os.getpid()}-{next(self._numbers)}"
        answers: list[Message] = []
        complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answers[identifier] = answers, complete
        header = {"kind": kind, "to": to, "id": identifier, "retained": retained}
        self._send(Message({**header, "body": body or {}}, parts))
        try:
            async with asyncio.timeout(seconds):
                await complete
        except TimeoutError:
            raise Unanswered(f"'{kind}' was not answered within {seconds:g} seconds") from None
        finally:
            del self._answers[identifier]
        if any(each.header.get("failed") for each in answers):
            raise Unanswered(f"'{kind}' failed in another worker")
        return answers

    def tell_supervisor(self, kind: str) -> None:
        """Send a word to the supervisor, which answers nothing."""
        self._send(Message({"kind": kind, "to": SUPERVISOR, "body": {}}))

    async def run(self) -> None:
        """Send and receive until the supervisor is gone."""
        loop = asyncio.get_running_loop()
        sending = asyncio.create_task(self._send_all())
        frames = Frames()
        try:
            while data := await loop.sock_recv(self._end, _CHUNK):
                for message in frames.take(data):
                    self._receive(message)
        except (OSError, MessageBroken):
            logger.exception("the line to the supervisor is broken")
        finally:
            sending.cancel()
            self.lost.set()
            for _, complete in self._answers.values():
                if not complete.done():
                    complete.set_exception(Unanswered("the supervisor is gone"))
            for task in self._serving:
                task.cancel()
            await asyncio.gather(sending, *self._serving, return_exceptions=True)
            self._end.close()

    def _receive(self, message: Message) -> None:
        header = message.header
        if header["kind"] in (ANSWER, GONE):
            if header["id"] in self._answers:
                answers, complete = self._answers[header["id"]]
                if header["kind"] == ANSWER:
                    answers.append(message)
                if not header["left"] and not complete.done():
                    complete.set_result(None)
            return
        task = asyncio.create_task(self._serve(message))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, message: Message) -> None:
        header = message.header
        handler = self._handlers.get(header["kind"])
        body: Mapping[str, Any] | None = {} if handler is None else None
        try:
            if handler is not None:
                body = await handler(message)
        finally:
            if header["from"] != SUPERVISOR:
                answer = {"kind": ANSWER, "to": header["from"], "id": header["id"]}
                self._send(Message({**answer, "body": body, "failed": body is None}))

    def _send(self, message: Message) -> None:
        self._outgoing.put_nowait(frame(message))

    async def _send_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await loop.sock_sendall(self._end, await self._outgoing.get())


def report_problems(end: socket.socket, error: ConfigurationError) -> None:
    """Tell the supervisor why this worker cannot start, when its `Link` is no longer used."""
    problems = [[each.file, each.line, each.column, each.message] for each in error.problems]
    header = {"kind": PROBLEMS, "to": SUPERVISOR, "body": {"problems": problems}}
    end.settimeout(None)
    end.sendall(frame(Message(header)))
