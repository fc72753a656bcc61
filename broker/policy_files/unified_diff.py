"""What was put into a file, as a unified diff that `git apply` and `patch -p1` take."""

from collections.abc import Iterator
from typing import Final

from broker.policy_files.insertions import Edited, changed_lines

CONTEXT: Final = 3
"""How many lines are shown around a change."""

_NO_LINE_FEED: Final = "\\ No newline at end of file\n"


def unified_diff(edit: Edited, path: str) -> str:
    """Write what was put into a file, with its path from where the diff is applied.

    Empty when it was nothing.
    """
    if not edit.insertions:
        return ""
    # A name ends at its first space for `patch`, unless a tab ends it.
    name = f"{path}\t" if " " in path else path
    head = [f"--- a/{name}\n", f"+++ b/{name}\n"]
    return "".join([*head, *_hunks(list(changed_lines(edit)))])


def _hunks(lines: list[tuple[str, ...]]) -> Iterator[str]:
    changed = [number for number, line in enumerate(lines) if line[1:] != line[:1]]
    added = 0
    while changed:
        last = changed[0]
        for number in changed:
            if number - last > 2 * CONTEXT:
                break
            last = number
        first, end = max(0, changed[0] - CONTEXT), min(len(lines), last + CONTEXT + 1)
        hunk = lines[first:end]
        after = sum(len(each) - 1 for each in hunk)
        yield f"@@ -{first + 1},{len(hunk)} +{first + 1 + added},{after} @@\n"
        for each in hunk:
            yield from _line(each)
        added += after - len(hunk)
        changed = [number for number in changed if number > last]


def _line(line: tuple[str, ...]) -> Iterator[str]:
    before, *after = line
    if after[0] == before:
        yield _told(" ", before)
        after = after[1:]
    else:
        yield _told("-", before)
    for each in after:
        yield _told("+", each)


def _told(sign: str, line: str) -> str:
    return f"{sign}{line}" if line.endswith("\n") else f"{sign}{line}\n{_NO_LINE_FEED}"
