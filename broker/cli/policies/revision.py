"""The policy files of a revision, as git has them."""

import io
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from broker.cli.endings import fail


@contextmanager
def files_of_revision(revision: str, paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Give the same paths, with what a revision has there; outside of git's own files.

    Ends the command when git cannot say.
    """
    if revision.startswith("-"):
        fail("--base: write a revision, such as origin/main")
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        fail(f"--base: git knows no revision '{revision}' here")
    sha = commit.decode().strip()
    below = [_below_here(path) for path in paths]
    # Names are relative to this folder, which is where git looks from.
    archive = _git("archive", "--format=tar", sha, "--", *below)
    if archive is None:
        fail(f"--base: {revision} has not all of {', '.join(map(str, paths))}")
    with TemporaryDirectory(prefix="broker-policies-") as directory:
        _unpack(archive, Path(directory))
        yield [Path(directory, each) for each in below]


def _unpack(archive: bytes, folder: Path) -> None:
    """Write the files of an archive of git's; it has nothing else but folders and links."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            if member.isdir():
                continue
            content = tar.extractfile(member) if member.isfile() else None
            if content is None:
                fail(f"--base: {member.name} is a link there; put the file itself in its place")
            target = folder / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())


def _below_here(path: Path) -> str:
    here, whole = Path.cwd().resolve(), path.resolve()
    if not whole.is_relative_to(here):
        fail(f"--base: {path} is not below this folder")
    return whole.relative_to(here).as_posix()


def _git(*words: str) -> bytes | None:
    """Give what git prints; None when it fails."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, check=False)  # noqa: S603, S607
    except OSError as error:
        fail(f"--base needs git: {error.strerror}")
    return done.stdout if done.returncode == 0 else None
