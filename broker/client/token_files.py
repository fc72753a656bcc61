"""Where tokens are kept between the commands of one job, and how a file of them is read.

Imported for every cached token, so it needs nothing that takes long to import.
"""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping

FOLDER = "broker-tokens"
LARGEST = 64 * 1024
LONGEST_LIFE = 7 * 86_400
"""Seconds; what claims to live longer is no service token."""

_BOOT = "/proc/sys/kernel/random/boot_id"

RENEW_WITHIN = 60.0
"""Seconds; a token with no more left is renewed, or with a fifth of its life, what is longer."""


def renew_within(life: float) -> float:
    """Tell at how many seconds before its end a token of some life is renewed."""
    # Of a life that is shorter than that, half.
    return min(max(RENEW_WITHIN, life / 5), life / 2)


def digest(*parts: str) -> str:
    """Make a fingerprint of some texts, from which none of them can be had back."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def file_name(
    url: str, service: str, scope: str, service_account: str, ttl: int | None, identity: str
) -> str:
    """Name the file of a token: by who asks whom for what, of which the name tells nothing."""
    return digest(url, service, scope, service_account, "" if ttl is None else str(ttl), identity)


def fingerprint_of_job(environment: Mapping[str, str]) -> str | None:
    """Tell who the job is as its `Identity` would, where variables alone say so; else None."""
    if environment.get("BROKER_ID_TOKEN_FILE"):
        return None
    given = environment.get("BROKER_ID_TOKEN", "")
    if given:
        return token_fingerprint(given.strip())
    if environment.get("GITHUB_ACTIONS") == "true":
        url = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL")
        token = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
        return github_fingerprint(url, token) if url and token else None
    return None


def github_fingerprint(url: str, request_token: str) -> str:
    """Tell a job of GitHub Actions from any other: the request token is its own."""
    return digest("github", url, request_token)


def token_fingerprint(token: str) -> str:
    """Tell who holds an ID token that is not renewed."""
    return digest("token", token)


def private_folder(environment: Mapping[str, str]) -> str | None:
    """Find the folder beside the job, made if need be; None when there is no place for it.

    Never below HOME, which jobs of one user may share, and never in the workspace, which images
    and artifacts are made of.
    """
    for base in filter(os.path.isabs, _bases(environment)):
        folder = os.path.join(base, f"{FOLDER}-{os.geteuid()}")  # noqa: PTH118 - see above
        _make(folder)
        try:
            if is_private(os.lstat(folder), stat.S_ISDIR):
                return folder
        except OSError:
            continue
    return None


def read_record(path: str) -> dict[str, object] | None:
    """Read the record of a token; None for what is none, or is not ours alone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        if not is_private(os.fstat(descriptor), stat.S_ISREG):
            return None
        content = os.read(descriptor, LARGEST)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def remaining(record: Mapping[str, object], boot: str, monotonic: float) -> float | None:
    """Tell how many seconds the token of a record has left; None unless that can be trusted.

    What was asked for in the future, or since another start of the machine, is of another clock.
    """
    token, since = record.get("token"), record.get("since")
    if not isinstance(token, dict) or not isinstance(since, float) or record.get("boot") != boot:
        return None
    life, text = token.get("expires_in"), token.get("access_token")
    if type(life) is not int or not 0 < life <= LONGEST_LIFE:
        return None
    if not isinstance(text, str) or not text or not text.isascii() or not text.isprintable():
        return None
    left = since + life - monotonic
    return left if 0 < left <= life else None


def is_private(status: os.stat_result, is_kind: Callable[[int], bool]) -> bool:
    """Tell whether it is what it should be, ours, and closed to everybody else."""
    return is_kind(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def boot_id() -> str:
    """Name this start of the machine, from which its monotonic clock counts; empty if unknown."""
    try:
        with open(_BOOT) as file:  # noqa: PTH123
            return file.read().strip()
    except OSError:
        return ""


def _bases(environment: Mapping[str, str]) -> Iterator[str]:
    """Name the folders that belong to the job, or else to the user's session."""
    if environment.get("RUNNER_TEMP"):
        yield environment["RUNNER_TEMP"]
    project = environment.get("CI_PROJECT_DIR", "").rstrip("/")
    if os.path.isabs(project):  # noqa: PTH117
        # Beside the checkout; GitLab keeps the files of the job's variables there, too.
        temporary = f"{project}.tmp"
        _make(temporary)
        yield temporary
    if environment.get("XDG_RUNTIME_DIR"):
        yield environment["XDG_RUNTIME_DIR"]


def _make(folder: str) -> None:
    try:
        os.mkdir(folder, 0o700)  # noqa: PTH102
    except OSError:
        # It is there, or it will be found missing.
        return
