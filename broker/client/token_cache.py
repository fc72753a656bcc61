"""Service tokens kept between the commands of one job: beside the job, readable by its user alone.

The end of a token is counted by the machine's monotonic clock, so that setting the clock makes no
token live longer.
"""

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from broker.client import token_files
from broker.client.held_token import HeldToken
from broker.client.service_token import ServiceToken


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Which token it is: nobody else's, and for nothing else; `ttl` in seconds."""

    url: str
    service: str
    scope: str
    service_account: str
    ttl: int | None
    identity: str
    """The fingerprint of who asks."""

    def name(self) -> str:
        """Give the name of its file, without the ending."""
        return token_files.file_name(
            self.url, self.service, self.scope, self.service_account, self.ttl, self.identity
        )


@dataclass(frozen=True, slots=True)
class TokenCache:
    """The files in one folder. What cannot be read or trusted counts as absent."""

    folder: Path
    monotonic: Callable[[], float] = time.monotonic
    boot: str = ""
    """Which start of the machine the clock counts from."""

    def find(self, key: CacheKey) -> HeldToken | None:
        """Find a token that is not over."""
        record = token_files.read_record(str(self._file(key)))
        return None if record is None else self._held(record)

    def keep(self, key: CacheKey, held: HeldToken) -> None:
        """Keep a token, in place of the one before. Raises `OSError`."""
        record = {
            "boot": self.boot,
            "since": held.since,
            "url": key.url,
            "identity": key.identity,
            "token": asdict(held.token),
        }
        write_private(self._file(key), json.dumps(record))

    def drop(self, key: CacheKey) -> None:
        """Forget a token."""
        self._file(key).unlink(missing_ok=True)

    def take_all(self, url: str, identity: str) -> list[HeldToken]:
        """Forget all tokens of an identity at a broker, and give those that are not over."""
        taken = []
        for path in sorted(self.folder.glob("*.json")):
            record = token_files.read_record(str(path)) or {}
            if (record.get("url"), record.get("identity")) == (url, identity):
                path.unlink(missing_ok=True)
                taken.append(self._held(record))
        return [each for each in taken if each is not None]

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

    def _file(self, key: CacheKey) -> Path:
        return self.folder / f"{key.name()}.json"

    def _held(self, record: Mapping[str, Any]) -> HeldToken | None:
        if token_files.remaining(record, self.boot, self.monotonic()) is None:
            return None
        try:
            token = ServiceToken(**record["token"])
        except TypeError:
            return None
        kinds = {field.name: field.type for field in fields(token)}
        if any(type(getattr(token, name)) is not kind for name, kind in kinds.items()):
            return None
        return HeldToken(token, record["since"])


def open_cache(environment: Mapping[str, str]) -> TokenCache | None:
    """Open the folder beside the job, made if need be; None when there is no place for it."""
    folder = token_files.private_folder(environment)
    return None if folder is None else TokenCache(Path(folder), boot=token_files.boot_id())


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, at once or not at all. Raises `OSError`."""
    try:
        # Made with 0600, and with a name that nobody can know.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        # Who asked for the file knows it by its own name.
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
