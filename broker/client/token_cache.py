"""Service tokens kept between the commands of one job: beside the job, readable by its user alone.

Never below HOME, which jobs of one user may share, and never in the workspace, which images and
artifacts are made of. Where there is no such folder, nothing is kept. The end of a token is counted
by the machine's monotonic clock, so that setting the clock makes no token live longer.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from broker.client.held_token import HeldToken
from broker.client.service_token import ServiceToken

_FOLDER: Final = "broker-tokens"
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_LARGEST: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Which token it is: nobody else's, and for nothing else."""

    url: str
    service: str
    scope: str
    service_account: str
    ttl: int | None
    identity: str
    """The fingerprint of who asks."""

    def name(self) -> str:
        """Give the name of its file, which tells nothing."""
        facts = [self.url, self.service, self.scope, self.service_account, self.ttl, self.identity]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TokenCache:
    """The files in one folder. What cannot be read or trusted counts as absent."""

    folder: Path
    monotonic: Callable[[], float] = time.monotonic
    boot: str = ""
    """Which start of the machine the clock counts from."""

    def find(self, key: CacheKey) -> HeldToken | None:
        """Find a token that is not over."""
        record = self._read(self.folder / f"{key.name()}.json")
        if record is None or record.get("boot") != self.boot:
            return None
        held = _held(record)
        if held is None or not 0 < held.remaining(self.monotonic()) <= held.token.expires_in:
            # A token asked for in the future is of another clock.
            return None
        return held

    def keep(self, key: CacheKey, held: HeldToken) -> None:
        """Keep a token, in place of the one before. Raises `OSError`."""
        record = {
            "boot": self.boot,
            "since": held.since,
            "url": key.url,
            "identity": key.identity,
            "token": asdict(held.token),
        }
        write_private(self.folder / f"{key.name()}.json", json.dumps(record))

    def drop(self, key: CacheKey) -> None:
        """Forget a token."""
        (self.folder / f"{key.name()}.json").unlink(missing_ok=True)

    def take_all(self, url: str, identity: str) -> list[HeldToken]:
        """Forget all tokens of an identity at a broker, and give those that are not over."""
        taken = []
        for path in sorted(self.folder.glob("*.json")):
            record = self._read(path)
            if record is None or (record.get("url"), record.get("identity")) != (url, identity):
                continue
            path.unlink(missing_ok=True)
            held = _held(record)
            if held is not None and record.get("boot") == self.boot:
                taken.append(held)
        return [each for each in taken if each.remaining(self.monotonic()) > 0]

    @contextlib.contextmanager
    def alone(self, key: CacheKey) -> Iterator[None]:
        """Be the only process that asks for this token, until the block ends. Raises `OSError`."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(self.folder / f"{key.name()}.lock", flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            if not _is_private(os.fstat(descriptor), stat.S_ISREG):
                return None
            content = file.read(_LARGEST + 1)
        try:
            record = json.loads(content)
        except (ValueError, RecursionError):
            return None
        return record if isinstance(record, dict) else None


def open_cache(environment: Mapping[str, str]) -> TokenCache | None:
    """Open the folder beside the job, making it if need be; None when there is no place for it."""
    for base in _bases(environment):
        folder = base / f"{_FOLDER}-{os.geteuid()}"
        try:
            if not base.is_dir():
                continue
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            if _is_private(folder.lstat(), stat.S_ISDIR):
                return TokenCache(folder, boot=_boot_id())
        except OSError:
            continue
    return None


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, at once or not at all. Raises `OSError`."""
    # Made with 0600, and with a name that nobody can know.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _bases(environment: Mapping[str, str]) -> Iterator[Path]:
    """Name the folders that belong to the job, or else to the user's session."""
    if environment.get("RUNNER_TEMP"):
        yield Path(environment["RUNNER_TEMP"])
    if environment.get("CI_PROJECT_DIR"):
        # Beside the checkout; GitLab keeps files of the job's variables there, too.
        temporary = Path(environment["CI_PROJECT_DIR"] + ".tmp")
        with contextlib.suppress(OSError):
            temporary.mkdir(mode=0o700, exist_ok=True)
        yield temporary
    if environment.get("XDG_RUNTIME_DIR"):
        yield Path(environment["XDG_RUNTIME_DIR"])


def _is_private(status: os.stat_result, is_kind: Callable[[int], bool]) -> bool:
    """Tell whether it is what it should be, ours, and closed to everybody else."""
    return is_kind(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _held(record: Mapping[str, Any]) -> HeldToken | None:
    try:
        members = record["token"]
        life, text = members["expires_in"], members["access_token"]
        held = HeldToken(ServiceToken(**members), float(record["since"]))
    except (KeyError, TypeError, ValueError):
        return None
    good = isinstance(life, int) and life > 0 and isinstance(text, str) and text
    return held if good else None


def _boot_id() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
