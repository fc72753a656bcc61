"""Forking a process off the supervisor, which has no threads that could hold a lock."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
"""What the supervisor takes, and what means something else in the processes it forks."""

FAILED: Final = 1

logger = logging.getLogger(__name__)


def fork(run: Callable[[], int]) -> int:
    """Run a function in a process of its own, whose exit status it returns; give the process id.

    The signals of the terminal, which reach every process of it, mean nothing there: what is to be
    done is told by the supervisor. SIGTERM ends it.
    """
    with _signals_held_back():
        process = os.fork()
        if process == 0:
            _run(run)
    return process


def _run(run: Callable[[], int]) -> None:
    status = FAILED
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for signum in (signal.SIGINT, signal.SIGHUP):
            # Unlike an ignored signal, this is not inherited by programs that are started.
            signal.signal(signum, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        status = run()
    except BaseException:
        logger.critical("a process of the broker failed", exc_info=sys.exc_info())
    finally:
        # No clean-up of the supervisor's runs here, nor is its output written twice.
        os._exit(status)


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Hold signals back, which a new process would take for the supervisor otherwise."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
