"""Whether the folders and files that settings name can be read; nothing is read from them yet."""

import os
import stat
from pathlib import Path

from broker.settings.kinds import escaped


def folder_fault(folder: Path) -> str | None:
    """Say why a folder cannot be listed, None if it can."""
    try:
        with os.scandir(folder):
            return None
    except FileNotFoundError:
        return f"there is no folder {_whole(folder)}; create it, or name the one meant"
    except NotADirectoryError:
        return f"{_whole(folder)} is no folder; name the folder that holds the files"
    except OSError as error:
        return f"the folder {_whole(folder)} cannot be read: {error.strerror or error}"


def file_fault(file: Path, *, may_be_absent: bool) -> str | None:
    """Say why a file cannot be read, None if it can."""
    try:
        # Opening anything else, such as a pipe, could wait for ever.
        if not stat.S_ISREG(file.stat().st_mode):
            return f"{_whole(file)} is not a file"
        with file.open("rb"):
            return None
    except FileNotFoundError:
        return None if may_be_absent else f"there is no file {_whole(file)}"
    except OSError as error:
        return f"the file {_whole(file)} cannot be read: {error.strerror or error}"


def _whole(path: Path) -> str:
    return f"`{escaped(str(path), longest=4096)}`"
