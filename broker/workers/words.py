"""The words on the lines between the supervisor and the workers.

A worker sends `kind`, `to` (`OTHERS`, a number or `SUPERVISOR`), `id` and `body`; it arrives with
`from` in the place of `to`. Who gets one of these sends an `ANSWER` with the same `id`, which
arrives with the number of answers that are `left` to come; in the place of an answer that will
never come stands `GONE`.
"""

from typing import Final

OTHERS: Final = "others"
"""To all other workers."""

SUPERVISOR: Final = "supervisor"

LEADER: Final = 0
"""The number of the worker that has the duties of the whole broker."""

ANSWER: Final = "answer"
GONE: Final = "gone"

READY: Final = "ready"
"""From a worker: it serves."""

PROBLEMS: Final = "problems"
"""From a worker: why it cannot start, as the members of `Problem`s."""

STOP: Final = "stop"
"""To a worker: finish what is under way, then end."""

ALONE: Final = "alone"
"""To the leader: all others have ended, and it may end, too."""

HANG_UP: Final = "hang-up"
"""To the leader: SIGHUP came."""
