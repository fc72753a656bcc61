"""Another user of the runner who made the folder of tokens first, or lays something into it.

What they lay there must not be given to the job as its token, and the job's token must not come to
where they can read it.
"""

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.cli.pipeline.cache_hit import from_cache
from broker.cli.pipeline.plain_request import plain_request
from broker.client.cached_source import CachedSource
from broker.client.token_cache import open_cache
from broker.client.token_files import boot_id, fingerprint_of_job
from tests.client.stand_in import a_token, an_id_token, answering, source_at

STRANGER = 65534
Attack = Callable[[Path, Path], None]


def planted(folder: Path) -> None:
    """Lay a token of the stranger's into a folder, under every name that the job may ask for."""
    record = {
        "boot": boot_id(),
        "since": time.monotonic(),
        "token": {"access_token": "planted", "token_type": "Bearer", "expires_in": 600,
                  "expires_at": 2_000_000_000},
    }  # fmt: skip
    for name in names_of(folder):
        path = folder / name
        path.write_text(json.dumps(record))
        path.chmod(0o600)


def names_of(folder: Path) -> list[str]:
    return (folder.parent / "names").read_text().split()


def open_to_all(folder: Path, _: Path) -> None:
    folder.mkdir()
    planted(folder)
    folder.chmod(0o777)


def of_a_stranger(folder: Path, _: Path) -> None:
    needs_root()
    folder.mkdir(0o700)
    planted(folder)
    os.chown(folder, STRANGER, STRANGER)


def a_link(folder: Path, elsewhere: Path) -> None:
    elsewhere.mkdir(0o700)
    folder.symlink_to(elsewhere)
    planted(folder)


def files_of_a_stranger(folder: Path, _: Path) -> None:
    needs_root()
    folder.mkdir(0o700)
    planted(folder)
    for name in names_of(folder):
        os.chown(folder / name, STRANGER, STRANGER)


def files_as_links(folder: Path, elsewhere: Path) -> None:
    folder.mkdir(0o700)
    elsewhere.mkdir(0o700)
    (elsewhere.parent / "elsewhere" / "token").write_text("of a stranger")
    for name in names_of(folder):
        (folder / name).symlink_to(elsewhere / "token")


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")


@pytest.mark.parametrize(
    "attack", [open_to_all, of_a_stranger, a_link, files_of_a_stranger, files_as_links]
)
def test_neither_is_a_planted_token_given_nor_ours_laid_open(
    attack: Attack, tmp_path: Path
) -> None:
    environment = {"BROKER_ID_TOKEN": an_id_token(), "RUNNER_TEMP": str(tmp_path)}
    folder = tmp_path / f"broker-tokens-{os.geteuid()}"
    elsewhere = tmp_path / "elsewhere"
    with answering(a_token("ours")) as server:
        environment["BROKER_URL"] = server.url
        source = source_at(server.url, environment=environment, monotonic=time.monotonic)
        name = CachedSource(source).key().name()
        (tmp_path / "names").write_text(f"{name}.json")
        attack(folder, elsewhere)

        wanted = plain_request(["token", "deploy-api"], environment)
        assert wanted is not None
        assert from_cache(wanted, environment) is None
        cached = CachedSource(source, open_cache(environment))
        assert cached.token().access_token == "ours"
        source.close()

    assert fingerprint_of_job(environment) == source.fingerprint()
    for path in tmp_path.rglob("*"):
        if path.is_file() and "ours" in path.read_text():
            status = path.lstat()
            assert status.st_uid == os.geteuid()
            assert stat.S_IMODE(status.st_mode) == 0o600
            assert path.parent == folder
            assert stat.S_IMODE(folder.lstat().st_mode) == 0o700
    if attack is files_as_links:
        assert (elsewhere / "token").read_text() == "of a stranger"


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    environment = {"BROKER_ID_TOKEN": an_id_token(), "RUNNER_TEMP": str(tmp_path)}
    cache = open_cache(environment)
    assert cache is not None
    with (
        answering(a_token("ours")) as server,
        source_at(server.url, environment=environment) as source,
    ):
        cached = CachedSource(source, cache)
        lock = cache.folder / f"{cached.key().name()}.lock"
        lock.symlink_to(tmp_path / "made-by-the-lock")

        assert cached.token().access_token == "ours"

    assert not (tmp_path / "made-by-the-lock").exists()
