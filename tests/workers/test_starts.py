"""How a broker of several processes starts, or does not."""

import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.workers.several_workers import (
    BROKEN,
    a_home,
    command,
    environment,
    several_workers,
)


def refused(home: Path, *arguments: str) -> str:
    """Start a broker that cannot; give what it complained of."""
    ended = subprocess.run(
        [*command(), *arguments],
        cwd=home, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    return ended.stderr


def files_below(home: Path) -> list[str]:
    """Name the files, but for those that SQLite keeps beside a database for a while."""
    return sorted(each.name for each in home.rglob("*") if not each.name.startswith("broker.db-"))


def test_a_first_start_with_four_workers_makes_one_key_of_each_kind_and_its_standby(
    tmp_path: Path,
) -> None:
    with several_workers(a_home(tmp_path), 4) as broker:
        with httpx.Client(trust_env=False, timeout=60) as http:
            published = [http.get(f"{broker.url}/.well-known/jwks.json").json() for _ in range(8)]
        assert broker.stop() == 0

    assert all(each == published[0] for each in published)
    assert sorted(key["alg"] for key in published[0]["keys"]) == [
        "ES256",
        "ES256",
        "RS256",
        "RS256",
    ]
    assert sorted(each.name for each in (tmp_path / "data").iterdir()) == [
        "broker.db", "master.key",
    ]  # fmt: skip


@pytest.mark.parametrize("fault", ["files", "key", "port"])
def test_what_is_wrong_is_listed_as_by_one_process(tmp_path: Path, fault: str) -> None:
    home = a_home(tmp_path)
    arguments: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        if fault == "files":
            (home / "policies" / "main.yaml").write_text(BROKEN)
        elif fault == "key":
            (home / "data").mkdir()
            (home / "data" / "master.key").touch(0o644)
        else:
            arguments = ["--listen", f"127.0.0.1:{taken.getsockname()[1]}"]
        by_several = refused(home, *arguments, "--workers", "3")
        left_behind = files_below(home)

        assert by_several == refused(home, *arguments)
    assert left_behind == files_below(home)
    assert len(by_several.splitlines()) >= 1


def test_the_dev_platform_has_a_process_of_its_own_which_ends_with_the_broker(
    tmp_path: Path,
) -> None:
    home = a_home(tmp_path)
    (home / "policies" / "dev").mkdir()
    (home / "policies" / "dev" / "dev.yaml").write_text("organizations: {acme: {description: A}}\n")
    with several_workers(home, 2, "--dev", "--dev-listen", "127.0.0.1:0") as broker:
        issuer = broker.said("serving", workers=2)["dev_issuers"]["dev-github"]
        with httpx.Client(trust_env=False, timeout=60) as http:
            found = http.get(f"{issuer}/.well-known/openid-configuration").json()
        assert found["issuer"] == issuer
        assert broker.stop() == 0
        with httpx.Client(trust_env=False, timeout=60) as http, pytest.raises(httpx.ConnectError):
            http.get(f"{issuer}/.well-known/openid-configuration")


def test_a_stop_while_it_starts_is_an_orderly_end(tmp_path: Path) -> None:
    with subprocess.Popen(
        command("--workers", "2"), cwd=a_home(tmp_path), env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=60) == 0
