"""What can happen to a file from outside."""

import shutil
from pathlib import Path


def overwrite(file: Path, start: int, end: int | None = None) -> None:
    """Overwrite the bytes from `start` to `end`."""
    content = bytearray(file.read_bytes())
    content[start:end] = b"\xa5" * len(content[start:end])
    file.write_bytes(content)


def delete(file: Path) -> None:
    file.unlink()


def replace_by_a_copy(file: Path) -> None:
    copy = file.with_name("copy")
    shutil.copy(file, copy)
    copy.replace(file)
