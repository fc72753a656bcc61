"""The terminal that a broker was started from, if any: its end is told by SIGHUP as well."""

import os
import signal


class Terminal:
    """Tells whether a SIGHUP means that the terminal was closed; made before the first one comes.

    That ends a broker, as it ends other programs, unless `nohup` says otherwise.
    """

    def __init__(self) -> None:
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._ends_broker = not ignored and _is_there()

    def is_lost(self) -> bool:
        """Tell whether the broker has lost a terminal that it ends with."""
        return self._ends_broker and not _is_there()


def _is_there() -> bool:
    """Tell whether the process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
