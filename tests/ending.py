"""Ends a process that a test has started, also one that does not heed being told to."""

import subprocess
from typing import Any, Final

SECONDS: Final = 60


def end(process: subprocess.Popen[Any]) -> None:
    """Tell a process to end, and after a minute do not ask any more."""
    process.terminate()
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
