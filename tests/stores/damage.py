"""What can happen to a file from outside."""

import shutil
from pathlib import Path

PAGE = 4096


def overwrite(file: Path, start: int, end: int | None = None) -> None:
    """Overwrite the bytes from `start` to `end`."""
    content = bytearray(file.read_bytes())
    content[start:end] = b"\xa5" * len(content[start:end])
    file.write_bytes(content)


def overwrite_all_but_the_schema(file: Path) -> None:
    """Overwrite every page but those that opening a database reads: the tree of its schema."""
    content = bytearray(file.read_bytes())
    spared = {1, *_children(bytes(content))}
    for number in range(1, len(content) // PAGE + 1):
        if number not in spared:
            content[(number - 1) * PAGE : number * PAGE] = b"\xa5" * PAGE
    file.write_bytes(content)


def _children(content: bytes) -> list[int]:
    """Give the pages below the first one (SQLite's file format, §1.6)."""
    header = 100
    if content[header] != 5:
        return []
    cells = int.from_bytes(content[header + 3 : header + 5])
    pointers = [header + 12 + 2 * each for each in range(cells)]
    starts = [int.from_bytes(content[each : each + 2]) for each in pointers]
    lefts = [int.from_bytes(content[each : each + 4]) for each in starts]
    return [*lefts, int.from_bytes(content[header + 8 : header + 12])]


def delete(file: Path) -> None:
    file.unlink()


def replace_by_a_copy(file: Path) -> None:
    copy = file.with_name("copy")
    shutil.copy(file, copy)
    copy.replace(file)
