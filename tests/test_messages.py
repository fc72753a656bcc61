"""A message between two processes is whole, or it is none."""

import pytest

from broker.messages import Message, MessageBroken


def test_a_message_is_decoded_as_it_was_encoded() -> None:
    header = {"do": "read", "text": "ö", "list": [1, None, True]}
    decoded = Message.decode(Message(header, [b"", b"one", bytes(1000)]).encode())

    assert decoded.header == header
    assert [bytes(part) for part in decoded.parts] == [b"", b"one", bytes(1000)]


def test_a_message_cut_anywhere_is_none() -> None:
    whole = Message({"a": 1}, [b"xy", b"z"]).encode()

    for length in range(len(whole)):
        with pytest.raises(MessageBroken):
            Message.decode(whole[:length])
    with pytest.raises(MessageBroken):
        Message.decode(whole + b"\0")


@pytest.mark.parametrize("data", [b"Traceback (most recent call last)", b"\xff" * 100])
def test_other_output_is_no_message(data: bytes) -> None:
    with pytest.raises(MessageBroken):
        Message.decode(data)
