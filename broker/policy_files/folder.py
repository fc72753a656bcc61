"""Reading the policy folder from disk: which files count, and that none leads out of it."""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from broker.core.delegation import DelegatedFolders, Delegation
from broker.core.errors import ConfigurationError, Problem
from broker.policy_files.deployment import Attachment
from broker.yaml_document import MAX_BYTES

SUFFIXES: Final = (".yaml", ".yml")
DEV_FOLDER: Final = "dev"
MAX_ATTACHMENT_BYTES: Final = 1 << 20

_NOTHING: Final = (
    "there is no such file or folder; name policy files that are there, or the configuration that"
    " does with --config"
)


def read_folder(
    folder: Path, *, dev: bool, folders: Sequence[Delegation]
) -> tuple[dict[str, bytes], list[Problem]]:
    """Read every policy file below a folder, by path; `dev/` at its top only when asked.

    What cannot be read is a problem, lest the policies in it count as absent.

    Hidden files and folders are passed over: Kubernetes keeps the real files of a mounted
    ConfigMap in one, behind links that stay inside. Links that lead out are refused (attacks row
    85), and so are those into one of the delegated `folders`, each of which must be there. Raises
    `ConfigurationError` for a missing folder.
    """
    if not folder.is_dir():
        raise ConfigurationError([Problem(str(folder), 0, 0, "there is no such folder")])
    texts: dict[str, bytes] = {}
    problems: list[Problem] = []
    root = _real(folder)
    walk = _Walk(folder, None if dev else folder / DEV_FOLDER, problems)
    delegated = DelegatedFolders(folders)
    for path in walk.candidates():
        fault = _name_fault(path.relative_to(folder)) or _fault(path, root)
        fault = fault or _link_fault(path, folder, delegated)
        if fault is None:
            try:
                texts[path.as_posix()] = _content(path, MAX_BYTES)
            except OSError as error:
                fault = f"cannot be read: {error.strerror}"
        if fault is not None:
            problems.append(Problem(path.as_posix(), 0, 0, fault))
    problems += _missing(folders, walk)
    return texts, problems


def read_paths(
    paths: Sequence[Path], *, dev: bool, policy_folder: Path, folders: Sequence[Delegation]
) -> tuple[dict[str, bytes], list[Problem]]:
    """Read single policy files, and folders as `read_folder` does; each file once.

    The delegated `folders` are those of `policy_folder`.

    Raises `ConfigurationError` for paths where there is nothing.
    """
    absent = [Problem(str(path), 0, 0, _NOTHING) for path in paths if not path.exists()]
    if absent:
        raise ConfigurationError(absent)
    texts: dict[str, bytes] = {}
    problems: list[Problem] = []
    for path in paths:
        if path.is_dir():
            whole = os.path.realpath(path) == os.path.realpath(policy_folder)
            found, unread = read_folder(path, dev=dev, folders=folders if whole else ())
            texts |= found
            problems += unread
        else:
            fault = _name_fault(path)
            if fault is None:
                try:
                    texts[path.as_posix()] = _content(path, MAX_BYTES)
                except OSError as error:
                    fault = f"cannot be read: {error.strerror}"
            if fault is not None:
                problems.append(Problem(path.as_posix(), 0, 0, fault))
    return _each_once(texts), problems


def read_attachment(file: str, name: str) -> Attachment:
    """Read a file named in a policy file, relative to that file. Raises `OSError`."""
    path = Path(file).parent / name
    content = _content(path, MAX_ATTACHMENT_BYTES)
    if len(content) > MAX_ATTACHMENT_BYTES:
        raise OSError(errno.EFBIG, f"larger than {MAX_ATTACHMENT_BYTES} bytes")
    return Attachment(str(path.absolute()), content)


def _each_once(texts: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out a file that is here under another spelling of its path."""
    spelling = {os.path.realpath(file): file for file in reversed(texts)}
    kept = frozenset(spelling.values())
    return {file: text for file, text in texts.items() if file in kept}


@dataclass(slots=True)
class _Walk:
    """One walk through a folder, but not into `skip`; what is wrong goes to `problems`."""

    folder: Path
    skip: Path | None
    problems: list[Problem]
    seen: set[str] = field(default_factory=set)
    """The position of every folder that counts, as it is spelled on the disk."""

    def candidates(self) -> Iterator[Path]:
        """Find the files that may be policy files."""
        for parent, folders, files in os.walk(self.folder, onerror=self._unreadable):
            here = Path(parent)
            shown = sorted(name for name in folders if not name.startswith("."))
            folders[:] = [name for name in shown if here / name != self.skip]
            for name in folders:
                self.seen.add((here / name).relative_to(self.folder).as_posix())
                if (here / name).is_symlink():
                    self._report(here / name, "a link to a folder; put the folder itself here")
            for name in sorted(files):
                if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                    yield here / name

    def _unreadable(self, error: OSError) -> None:
        self._report(Path(error.filename), f"cannot be read: {error.strerror}")

    def _report(self, path: Path, text: str) -> None:
        self.problems.append(Problem(path.as_posix(), 0, 0, text))


def _missing(folders: Sequence[Delegation], walk: _Walk) -> Iterator[Problem]:
    """Report the delegations of what is not there: mistyped, they would restrict nothing."""
    others = walk.seen - {each.folder for each in folders}
    for delegation in folders:
        if delegation.folder not in walk.seen:
            # Never a folder above it: that would delegate more.
            depth = delegation.folder.count("/")
            beside = [each for each in others if each.count("/") == depth]
            close = get_close_matches(delegation.folder, sorted(beside), n=1)
            hint = f"did you mean `{close[0]}/`?" if close else "create it, or delete its entry"
            text = (
                f"there is no folder `{delegation.folder}/` in `{walk.folder.as_posix()}`; {hint}"
            )
            yield Problem(*delegation.place, text)


def _name_fault(path: Path) -> str | None:
    """Refuse what would appear as something else in messages, logs and audit events."""
    if path.as_posix().isprintable():
        return None
    return "a name with control or invisible characters; rename it"


def _fault(path: Path, root: Path) -> str | None:
    if path.suffix not in SUFFIXES:
        return f"not read with this spelling; rename it to end in `{path.suffix.lower()}`"
    if path.is_symlink() and not _real(path).is_relative_to(root):
        return "a link that leads out of the policy folder; put the file itself here"
    return None


def _link_fault(path: Path, folder: Path, delegated: DelegatedFolders) -> str | None:
    """Report a link into a delegated folder: who writes there would also write what it shows."""
    if not path.is_symlink():
        return None
    here = delegated.above(path.relative_to(folder).as_posix())
    for delegation in delegated.above(_real(path).relative_to(_real(folder)).as_posix()):
        if delegation not in here:
            return f"a link into the delegated `{delegation.folder}/`; put the file itself here"
    return None


def _real(path: Path) -> Path:
    """Follow all links; where they go round in a circle, as far as that goes."""
    # `Path.resolve` raises for a circle, and other errors in other versions of Python.
    return Path(os.path.realpath(path))


def _content(path: Path, limit: int) -> bytes:
    """Read up to one byte more than `limit`, from a regular file alone."""
    # O_NONBLOCK: opening a named pipe would otherwise wait for its other end.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(limit + 1)
