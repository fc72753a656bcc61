"""`broker keys publish`: the files hold what a running broker answers, byte for byte."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from broker.cli.keys.publish_command import JWKS, METADATA
from tests.cli.conftest import Broker
from tests.running_broker import RunningBroker
from tests.serving_process import serving_process
from tests.special_brokers import special_broker

Publish = Callable[..., subprocess.CompletedProcess[str]]
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningBroker]:
    """A broker by the clock of the machine, which the command goes by."""
    folder = tmp_path / "running"
    folder.mkdir()
    with special_broker(folder, now=time.time()) as broker:
        yield broker


def command_on(broker: RunningBroker, environment: dict[str, str], issuer: str) -> Publish:
    settings = {
        "BROKER_ISSUER": issuer,
        "BROKER_STORE": f"sqlite:{broker.folder / 'broker.db'}",
        "BROKER_MASTER_KEY_FILE": str(broker.folder / "master.key"),
    }

    def run(*arguments: str, command: str = "publish") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "broker", "keys", command, *arguments],
            cwd=broker.folder,
            env=environment | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def publish(running: RunningBroker, environment: dict[str, str]) -> Publish:
    return command_on(running, environment, running.url)


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def served(broker: RunningBroker, prefix: str = "") -> dict[str, bytes]:
    names = (JWKS, *METADATA)
    return {name: broker.request("GET", f"{prefix}/{name}").content for name in names}


def written(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_the_files_hold_what_the_broker_serves(
    publish: Publish, running: RunningBroker, tmp_path: Path
) -> None:
    done = publish(str(tmp_path / "public"))

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "public" / name) for name in (JWKS, *METADATA)]
    assert written(tmp_path / "public") == served(running)
    keys = json.loads(written(tmp_path / "public")[JWKS])["keys"]
    assert len(keys) == 4
    assert [jwk for jwk in keys if PRIVATE_MEMBERS & set(jwk)] == []


def test_an_issuer_with_a_path_is_the_folder(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "running").mkdir()
    with special_broker(tmp_path / "running", now=time.time(), path="/ci") as broker:
        done = command_on(broker, environment, f"{broker.url}/ci")(str(tmp_path / "public"))

        assert done.returncode == 0, done.stderr
        assert written(tmp_path / "public") == served(broker, "/ci")


def test_it_says_until_when_the_files_will_do(publish: Publish, tmp_path: Path) -> None:
    began = time.time()
    done = publish(str(tmp_path / "public"), "--json")
    told = json.loads(done.stdout)
    listed = json.loads(publish("--json", command="list").stdout)["items"]

    assert told["files"] == [str(tmp_path / "public" / name) for name in (JWKS, *METADATA)]
    # A key made from now on is published for a day before it signs; caches hold for five minutes.
    again_before = instant(told["again_before"])
    assert again_before == pytest.approx(began + 86_400 - 300, abs=60)
    assert f"publish again before {told['again_before']}" in done.stderr
    waiting = [instant(key["sign_from"]) for key in listed if key["state"] == "standby"]
    assert all(again_before < each for each in waiting)


def test_after_a_rotation_the_next_key_is_there_before_it_signs(
    publish: Publish, running: RunningBroker, tmp_path: Path
) -> None:
    folder = tmp_path / "public"
    publish(str(folder))
    before = {jwk["kid"] for jwk in json.loads((folder / JWKS).read_text())["keys"]}
    rotated = publish("--now", "--json", command="rotate")
    signing = {each["kid"] for each in json.loads(rotated.stdout)["items"]}

    # What signs now was published all the while.
    assert signing <= before
    running.clock.advance(60)
    assert publish(str(folder)).returncode == 0
    assert before < {jwk["kid"] for jwk in json.loads((folder / JWKS).read_text())["keys"]}
    # The running broker looks at the store once a second.
    until = time.monotonic() + 60
    while served(running) != written(folder) and time.monotonic() < until:
        time.sleep(0.05)
    assert written(folder) == served(running)


def test_files_of_before_are_replaced_and_nothing_else_is_left(
    publish: Publish, running: RunningBroker, tmp_path: Path
) -> None:
    folder = tmp_path / "public"
    (folder / ".well-known").mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text("{}")
    (folder / JWKS).symlink_to(elsewhere)
    (folder / METADATA[0]).write_text("old")

    assert publish(str(folder)).returncode == 0
    assert written(folder) == served(running)
    # A link is replaced, not followed.
    assert elsewhere.read_text() == "{}"
    assert {file.stat().st_mode & 0o777 for file in (folder / ".well-known").iterdir()} <= {0o644}


def test_without_a_store_nothing_is_published(broker: Broker, tmp_path: Path) -> None:
    done = broker("keys", "publish", "public")

    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no store yet" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_no_broker_has_served_from_publishes_nothing(
    broker: Broker, tmp_path: Path
) -> None:
    broker("accounts", "create", "admin", "--grant", "broker=broker:*", "--secret")
    done = broker("keys", "publish", "public")

    assert (done.returncode, done.stdout) == (2, "")
    assert "no broker has served from this store yet" in done.stderr
    assert not (tmp_path / "public").exists()


def test_beside_a_dev_platform_the_files_hold_what_the_broker_serves(
    tmp_path: Path, environment: dict[str, str], shipped: Path
) -> None:
    ports = ("--listen", "127.0.0.1:0", "--dev-listen", "127.0.0.1:0")
    with serving_process(shipped.parent, "--dev", *ports) as broker:
        done = subprocess.run(
            [sys.executable, "-m", "broker", "keys", "publish", "public"],
            cwd=shipped.parent,
            env=environment | {"BROKER_ISSUER": broker.url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
        assert written(tmp_path / "public") == {
            name: httpx.get(f"{broker.url}/{name}", trust_env=False, timeout=60).content
            for name in (JWKS, *METADATA)
        }


def test_a_policy_set_that_was_altered_is_not_taken_for_none(
    publish: Publish, running: RunningBroker, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(running.folder / "broker.db")) as store, store:
        store.execute("UPDATE policy_sets SET content = x'00'")
    done = publish(str(tmp_path / "public"))

    assert (done.returncode, done.stdout) == (2, "")
    assert "in the store was altered, or sealed elsewhere" in done.stderr
    assert "cannot be made again" in done.stderr
    assert "no broker has served" not in done.stderr
    assert not (tmp_path / "public").exists()


def test_a_folder_that_cannot_be_written_is_said(publish: Publish, tmp_path: Path) -> None:
    (tmp_path / "public").write_text("a file")
    done = publish(str(tmp_path / "public"))

    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
