"""Where the master key comes from, and when none is made (attacks rows 128 and 187)."""

import asyncio
import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from broker.core.errors import ConfigurationError
from broker.core.signing_keys import SigningKey, SigningSchedule
from broker.ports import SigningKeyChange, SigningKeyRow
from broker.signing.key_pairs import generate
from broker.signing.key_wrap import KeyWrap
from broker.signing.master_key import MasterKey
from broker.signing.master_key_file import _open_to_others, create
from broker.signing.store_key import load_master_key
from broker.stores.sqlite import SqliteStore

ROOT = Path(__file__).parents[2]
SECRET = bytes(range(200, 232))
TEXT = base64.urlsafe_b64encode(SECRET).decode().rstrip("=")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "master.key"


def write(file: Path, text: str, mode: int = 0o600) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(mode)


def status_of(rights: int, owner: int) -> os.stat_result:
    return os.stat_result((stat.S_IFREG | rights, 0, 0, 1, owner, 10_001, 0, 0, 0, 0))


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def exists(file: Path) -> bool:
    return file.exists()


def is_empty(file: Path) -> bool:
    return file.read_bytes() == b""


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


def same(left: MasterKey, right: MasterKey) -> bool:
    return left.derive("a test") == right.derive("a test")


async def add_row(store: SqliteStore, master_key: MasterKey) -> None:
    """Add a signing key, wrapped under a master key, to a store without check row."""
    key = SigningKey.of(generate("ES256"), "ES256", SigningSchedule(0.0, 0.0))
    row = KeyWrap(master_key).wrap(key, 1)
    epoch = await store.state_epoch()
    assert await store.change_signing_keys(SigningKeyChange(epoch, (row,), (), ()))


# --- The text -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [TEXT, TEXT + "=", f"  {TEXT}\n", base64.b64encode(SECRET).decode() + "\n"],
    ids=["base64url", "padded", "with white space", "as openssl prints it"],
)
def test_a_key_is_32_bytes_in_base64(text: str) -> None:
    assert same(MasterKey.from_text(text, "a test"), MasterKey(SECRET))


@pytest.mark.parametrize(
    "text",
    ["", TEXT[:-1], TEXT + "A", TEXT + "==", f"{TEXT[:20]} {TEXT[20:]}", "é" * 43, SECRET.hex()],
)
def test_any_other_text_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigurationError, match="openssl rand -base64 32") as refused:
        MasterKey.from_text(text, "BROKER_MASTER_KEY")

    assert str(refused.value).startswith("BROKER_MASTER_KEY: ")
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        MasterKey(bytes(size))


def test_a_key_does_not_show_itself() -> None:
    key = MasterKey(SECRET)

    assert (
        f"{key} {key!r} {[key]}" == "MasterKey(redacted) MasterKey(redacted) [MasterKey(redacted)]"
    )
    assert not hasattr(key, "__dict__")


def test_each_purpose_gets_a_key_of_its_own() -> None:
    key = MasterKey(SECRET)
    derived = {key.derive("one"), key.derive("two"), MasterKey(bytes(32)).derive("one"), SECRET}

    assert len(derived) == 4
    assert key.derive("one") == MasterKey(SECRET).derive("one")
    assert {len(one) for one in derived} == {32}


# --- Where it comes from --------------------------------------------------------------------------


async def test_the_environment_counts_before_the_file(store: SqliteStore, file: Path) -> None:
    key = await load_master_key(file, TEXT, store, may_create=True)

    assert same(key, MasterKey(SECRET))
    assert not exists(file)


async def test_a_file_is_read(store: SqliteStore, file: Path) -> None:
    write(file, TEXT + "\n")

    assert same(await load_master_key(file, None, store, may_create=False), MasterKey(SECRET))


async def test_a_file_may_be_a_link_as_mounted_secrets_are(store: SqliteStore, file: Path) -> None:
    write(file, TEXT)
    link = file.with_name("link")
    link.symlink_to(file)

    assert same(await load_master_key(link, None, store, may_create=False), MasterKey(SECRET))


async def test_the_first_start_makes_a_file_for_the_owner_alone(
    store: SqliteStore, file: Path
) -> None:
    before = os.umask(0)
    try:
        made = await load_master_key(file, None, store, may_create=True)
    finally:
        os.umask(before)

    assert (mode(file), mode(file.parent)) == (0o600, 0o700)
    assert names(file.parent) == ["master.key"]
    await add_row(store, made)
    assert same(await load_master_key(file, None, store, may_create=False), made)


async def test_first_starts_at_the_same_moment_end_with_one_key(
    store: SqliteStore, file: Path
) -> None:
    def start() -> MasterKey:
        return asyncio.run(load_master_key(file, None, EmptyStore(), may_create=True))

    keys = await asyncio.gather(*(asyncio.to_thread(start) for _ in range(8)))

    assert len({key.derive("a test") for key in keys}) == 1
    assert names(file.parent) == ["master.key"]


def test_a_file_that_another_process_made_first_stays(file: Path) -> None:
    write(file, TEXT)
    create(file)

    assert file.read_text() == TEXT
    assert names(file.parent) == ["master.key"]


class EmptyStore:
    """A store without rows, for event loops of other threads; it forgets what is put into it."""

    async def signing_key_rows(self) -> list[SigningKeyRow]:
        return []

    async def change_signing_keys(self, change: SigningKeyChange) -> bool:
        raise NotImplementedError

    async def sealed_row(self, name: str) -> bytes | None:
        return None

    async def add_sealed_row(self, name: str, content: bytes) -> bool:
        return True


# --- When there is none ---------------------------------------------------------------------------


async def refusal(file: Path, store: SqliteStore, *, may_create: bool) -> str:
    with pytest.raises(ConfigurationError) as refused:
        await load_master_key(file, None, store, may_create=may_create)
    [problem] = refused.value.problems
    assert problem.file == str(file)
    return problem.message


async def test_no_key_is_made_beside_a_filled_store(store: SqliteStore, file: Path) -> None:
    await add_row(store, MasterKey(SECRET))

    assert "restore the file from its backup" in await refusal(file, store, may_create=True)
    assert not exists(file)


async def test_no_key_is_made_where_none_may_be(store: SqliteStore, file: Path) -> None:
    assert "only on loopback" in await refusal(file, store, may_create=False)
    assert not exists(file)


@pytest.mark.parametrize("rights", [0o640, 0o604, 0o620, 0o666, 0o610])
async def test_a_file_that_others_may_use_is_refused(
    rights: int, store: SqliteStore, file: Path
) -> None:
    write(file, TEXT, rights)

    message = await refusal(file, store, may_create=True)
    assert message.endswith(f"chmod 600 {file}")
    assert TEXT not in message


@pytest.mark.parametrize("rights", [0o400, 0o440, 0o600, 0o640])
def test_a_group_may_read_what_root_has_given_to_it(rights: int) -> None:
    assert not _open_to_others(status_of(rights, owner=0), user=10_001)


@pytest.mark.parametrize("rights", [0o420, 0o460, 0o450, 0o444, 0o441, 0o402])
def test_whatever_else_root_has_given_is_refused(rights: int) -> None:
    assert _open_to_others(status_of(rights, owner=0), user=10_001)


@pytest.mark.parametrize("user", [0, 10_001])
def test_the_group_of_one_s_own_file_may_not_read_it(user: int) -> None:
    assert _open_to_others(status_of(0o440, owner=user), user)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to a group")
def test_a_secret_that_is_mounted_for_the_group_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "master.key"
    write(secret, TEXT, 0o440)
    os.chown(secret, 0, 10_001)
    descriptor = os.open(secret, os.O_RDONLY)
    # A file that is open already: the folders of a test are for their owner alone.
    program = (
        "import os, sys; from pathlib import Path;"
        "from broker.signing.master_key_file import read;"
        "os.setgroups([]); os.setgid(10001); os.setuid(10001);"
        f"sys.stdout.write(read(Path('/proc/self/fd/{descriptor}')))"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            pass_fds=[descriptor],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(descriptor)

    assert (done.stdout, done.stderr) == (TEXT, "")


async def test_an_empty_file_is_refused_and_left_alone(store: SqliteStore, file: Path) -> None:
    write(file, "")

    assert "is not 32 bytes in base64" in await refusal(file, store, may_create=True)
    assert is_empty(file)


async def test_a_folder_in_place_of_the_file_is_refused(store: SqliteStore, tmp_path: Path) -> None:
    assert "is not a regular file" in await refusal(tmp_path, store, may_create=True)


async def test_a_pipe_in_place_of_the_file_does_not_hold_the_start_up(
    store: SqliteStore, file: Path, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)

    assert "is not a regular file" in await refusal(pipe, store, may_create=True)


async def test_a_folder_that_cannot_be_made_is_told(store: SqliteStore, tmp_path: Path) -> None:
    write(tmp_path / "file", "")

    message = await refusal(tmp_path / "file" / "master.key", store, may_create=True)
    assert "Not a directory" in message
