"""What can happen to a file from outside."""

import os
import shutil
import tempfile
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


def allow(file: Path, mode: int) -> None:
    """Set the rights of a file or folder."""
    file.chmod(mode)


def rights_bind() -> bool:
    """Tell whether this process, root perhaps, is bound by the rights of files."""
    with tempfile.NamedTemporaryFile() as file:
        os.fchmod(file.fileno(), 0)
        return not os.access(file.name, os.R_OK)
