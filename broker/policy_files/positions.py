"""Where a policy file lies below the policy folder, whatever it is called from here."""

import os
from pathlib import Path, PurePath, PurePosixPath

from broker.policy_files.deployment import PositionsOf


def below(folder: Path) -> PositionsOf:
    """Find files that were read from the policy folder, and are named as it is."""

    def positions(file: str) -> tuple[str, ...]:
        return (_position(PurePosixPath(file).relative_to(folder.as_posix())),)

    return positions


def as_named(file: str) -> tuple[str, ...]:
    """Find files that are named from the policy folder on. Raises `ValueError` for others."""
    return (_position(PurePosixPath(file)),)


def wherever_below(folder: Path) -> PositionsOf:
    """Find files named in any way, behind links too; those outside of the folder have no place."""
    written_root, real_root = _written(folder), folder.resolve()

    def positions(file: str) -> tuple[str, ...]:
        ways = ((_written(Path(file)), written_root), (Path(file).resolve(), real_root))
        found = (path.relative_to(root) for path, root in ways if path.is_relative_to(root))
        return tuple({_position(path): None for path in found})

    return positions


def _written(path: Path) -> Path:
    """Complete a path, leaving links as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` follows links


def _position(path: PurePath) -> str:
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("leads out of the policy folder")
    return path.as_posix()
