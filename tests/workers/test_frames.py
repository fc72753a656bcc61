"""Messages arrive whole, in whatever pieces the stream brings them."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.messages import Message, MessageBroken
from broker.workers.frames import Frames, frame

MESSAGES = st.lists(st.tuples(st.text(), st.lists(st.binary(max_size=50), max_size=3)), max_size=5)


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    for begin, end in pairwise(places):
        yield data[begin:end]


@given(MESSAGES, st.lists(st.integers(0, 10_000)))
def test_what_is_framed_is_found_again(
    messages: list[tuple[str, list[bytes]]], cuts: list[int]
) -> None:
    stream = b"".join(frame(Message({"kind": kind}, parts)) for kind, parts in messages)
    frames = Frames()

    found = [each for piece in pieces(stream, cuts) for each in frames.take(piece)]
    assert [(each.header["kind"], [bytes(part) for part in each.parts]) for each in found] == [
        (kind, parts) for kind, parts in messages
    ]


def test_other_bytes_are_no_message() -> None:
    with pytest.raises(MessageBroken):
        list(Frames().take((5).to_bytes(8) + b"other"))
