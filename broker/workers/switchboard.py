"""Passing messages on between the workers, in the supervisor; it knows none of their meanings."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from broker.messages import Message
from broker.workers.wire import Wire, WireCut
from broker.workers.words import ANSWER, GONE, OTHERS, SUPERVISOR

_Question = tuple[int, Any]


class Switchboard:
    """The lines of all workers that are alive.

    Of every kind of message that is `retained` the last one is kept, and is what a worker that is
    started later hears first.
    """

    def __init__(self) -> None:
        self.wires: dict[int, Wire] = {}
        self._awaited: dict[_Question, set[int]] = {}
        self._retained: dict[str, Message] = {}

    def connect(self, number: int, wire: Wire) -> None:
        """Begin to pass on to and from a worker."""
        self.wires[number] = wire
        for message in self._retained.values():
            self._send(number, message)

    def disconnect(self, number: int) -> None:
        """Forget a worker that is gone, and tell those who wait for its answers."""
        wire = self.wires.pop(number, None)
        if wire is not None:
            wire.close()
        for question in [each for each in self._awaited if each[0] == number]:
            del self._awaited[question]
        for question, recipients in list(self._awaited.items()):
            if number in recipients:
                self._answer(question, number, {"kind": GONE}, ())

    def tell(self, number: int, kind: str) -> None:
        """Send a word of the supervisor's own; a worker that is gone does not hear it."""
        if number in self.wires:
            self._send(number, Message({"kind": kind, "from": SUPERVISOR, "body": {}}))

    def receive(self, number: int) -> list[Message]:
        """Pass on what a worker has sent; give what is for the supervisor. Raises `WireCut`."""
        own = []
        for message in self.wires[number].receive():
            if message.header["to"] == SUPERVISOR:
                own.append(message)
            elif message.header["kind"] == ANSWER:
                question = (message.header["to"], message.header["id"])
                self._answer(question, number, message.header, message.parts)
            else:
                self._pass_on(number, message)
        return own

    def _pass_on(self, sender: int, message: Message) -> None:
        header = {**message.header, "from": sender}
        to = header.pop("to")
        passed = Message(header, message.parts)
        if header.get("retained"):
            # Nobody waits for the answer of who hears it later.
            self._retained[header["kind"]] = Message({**header, "id": None}, message.parts)
        others = [number for number in self.wires if number != sender]
        recipients = others if to == OTHERS else [number for number in others if number == to]
        question = (sender, header["id"])
        self._awaited[question] = set(recipients)
        if not recipients:
            self._answer(question, None, {"kind": GONE}, ())
        for number in recipients:
            self._send(number, passed)

    def _answer(
        self,
        question: _Question,
        number: int | None,
        header: Mapping[str, Any],
        parts: Sequence[bytes | memoryview],
    ) -> None:
        recipients = self._awaited.get(question)
        if recipients is None:
            return
        recipients.discard(-1 if number is None else number)
        if not recipients:
            del self._awaited[question]
        sender, identifier = question
        passed = {**header, "from": number, "id": identifier, "left": len(recipients)}
        passed.pop("to", None)
        self._send(sender, Message(passed, parts))

    def _send(self, number: int, message: Message) -> None:
        # The end of its process, which follows, disconnects it.
        with suppress(WireCut):
            self.wires[number].send(message)
