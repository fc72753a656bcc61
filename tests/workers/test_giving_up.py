"""A supervisor whose worker dies again and again ends, and says why."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """\
import logging, sys, time
from broker.workers.frames import frame
from broker.messages import Message
from broker.workers.supervisor import Supervisor

def work(post):
    ready = {"kind": "ready", "to": "supervisor", "body": {}}
    post.end.sendall(frame(Message(ready)))
    if post.number == 1:
        return 1
    # Until the supervisor has a word for it.
    post.end.recv(1)
    return 0

logging.basicConfig(stream=sys.stderr, level=logging.INFO)
sys.exit(Supervisor(2, work, lambda: print("serving")).run())
"""


def test_a_worker_that_dies_five_times_soon_after_its_start_ends_the_broker() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert ended.returncode == 1
    assert ended.stderr.count("a worker died; it is started again") == 4
    assert "a worker died 5 times soon after its start: the broker ends" in ended.stderr
    assert "Traceback" not in ended.stderr
