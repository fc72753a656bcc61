"""Identifiers and the clock of the machine."""

import subprocess
import sys
import time
import uuid

from broker.system import SystemClock, UuidV7Identifiers


def test_an_identifier_is_a_uuid_of_version_7_with_its_time() -> None:
    parsed = uuid.UUID(UuidV7Identifiers().new(1_750_000_000.123))

    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == 1_750_000_000_123


def test_the_text_is_in_the_form_that_uuids_have() -> None:
    text = UuidV7Identifiers().new(1_750_000_000)

    assert str(uuid.UUID(text)) == text


def test_every_random_bit_counts() -> None:
    def drawn(random: int) -> str:
        first = random.to_bytes(10, "big")
        return UuidV7Identifiers(lambda size: first + bytes(size - len(first))).new(1.0)

    one_bit_each = {drawn(1 << bit) for bit in range(80)}

    # 80 bits are drawn, 74 fit beside version and variant.
    assert len(one_bit_each - {drawn(0)}) == 74


def test_identifiers_sort_by_time() -> None:
    draw = UuidV7Identifiers().new
    instants = [0.001, 1.0, 1_750_000_000.0, 1_750_000_000.001, 4_000_000_000.0]

    identifiers = [draw(instant) for instant in instants]

    assert identifiers == sorted(identifiers)


def test_identifiers_of_one_instant_differ() -> None:
    draw = UuidV7Identifiers().new

    assert len({draw(1_750_000_000) for _ in range(10_000)}) == 10_000


FORKED = """
import os, time
from broker.system import UuidV7Identifiers

draw = UuidV7Identifiers().new
draw(1.0)
children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        os.write(1, "".join(f"{draw(1.0)}\\n" for _ in range(5)).encode())
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
os.write(1, "".join(f"{draw(1.0)}\\n" for _ in range(5)).encode())
"""


def test_processes_that_were_forked_share_no_identifier() -> None:
    # A process of its own: one that has threads, as that of the tests, had better not be forked.
    command = [sys.executable, "-c", FORKED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    everywhere = done.stdout.splitlines()

    assert len(set(everywhere)) == len(everywhere) == 15


def test_the_clock_gives_seconds_since_the_epoch() -> None:
    before = time.time()
    now = SystemClock().now()

    assert before <= now <= time.time()
