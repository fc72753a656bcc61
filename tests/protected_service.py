"""The example's protected service as a process of its own: it accepts the broker's tokens alone."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ending import end

ROOT = Path(__file__).parents[1]


@contextmanager
def protected_service(issuer: str) -> Iterator[str]:
    """Serve `examples/protected_service.py` until the block ends; gives its URL."""
    command = [sys.executable, "examples/protected_service.py", "--port", "0", "--issuer", issuer]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            end(process)
