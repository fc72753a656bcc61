"""`broker keys`: on the store of a broker that runs, as operators use it."""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ROOT
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

OPERATORS = """\
service_accounts:
  key-reader: {grants: {broker: ["broker:keys:read"]}}
policies:
  reads-keys:
    service_account: key-reader
    issuer: github
    match: {repository_id: 456789, environment: reads-keys}
"""
NEW_KEY = base64.b64encode(bytes(range(32))).decode()

Keys = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningBroker]:
    """A broker by the clock of the machine, which the commands go by."""
    folder = tmp_path / "running"
    folder.mkdir()
    with special_broker(folder, OPERATORS, now=time.time()) as broker:
        yield broker


@pytest.fixture
def keys(running: RunningBroker, environment: dict[str, str]) -> Keys:
    """The command, on the store of the running broker."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        folder = running.folder
        settings = {
            "BROKER_ISSUER": running.url,
            "BROKER_STORE": f"sqlite:{folder / 'broker.db'}",
            "BROKER_MASTER_KEY_FILE": str(folder / "master.key"),
        }
        return subprocess.run(
            [sys.executable, "-m", "broker", "keys", *arguments],
            cwd=folder,
            env=environment | settings | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def listed(keys: Keys) -> list[dict[str, Any]]:
    done = keys("list", "--json")
    assert done.returncode == 0, done.stderr
    items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return items


def signing(keys: Keys, algorithm: str = "ES256") -> str:
    [kid] = [
        str(key["kid"])
        for key in listed(keys)
        if (key["alg"], key["state"]) == (algorithm, "signing")
    ]
    return kid


def published(broker: RunningBroker) -> set[str]:
    document = broker.request("GET", "/.well-known/jwks.json").json()
    return {jwk["kid"] for jwk in document["keys"]}


def own_token(broker: RunningBroker) -> dict[str, str]:
    ci_token = broker.github_token(environment="reads-keys", ref="refs/heads/ops")
    token = broker.exchange(ci_token, audience="broker").json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def test_the_list_is_one_line_for_each_key(keys: Keys, running: RunningBroker) -> None:
    lines = keys("list").stdout.splitlines()

    assert {line.split()[0] for line in lines} == published(running)
    assert [line.split()[1:3] for line in lines] == [
        ["ES256", "signing"],
        ["ES256", "standby"],
        ["RS256", "signing"],
        ["RS256", "standby"],
    ]


def test_a_rotation_tells_which_key_signs_from_when(keys: Keys) -> None:
    done = keys("rotate")

    assert (done.returncode, done.stderr) == (0, "")
    standbys = {key["kid"]: key["sign_from"] for key in listed(keys) if key["state"] == "standby"}
    for kid, instant in standbys.items():
        assert f"{kid} signs from {instant}" in done.stdout


def test_a_rotation_at_once_warns_and_the_running_broker_follows(
    keys: Keys, running: RunningBroker
) -> None:
    headers = own_token(running)
    done = keys("rotate", "--now", "--json")

    assert done.returncode == 0
    assert "300 seconds" in done.stderr
    by_algorithm = {item["alg"]: item["kid"] for item in json.loads(done.stdout)["items"]}
    running.clock.advance(60)
    assert running.exchange(running.github_token()).status_code == 200
    assert by_algorithm["ES256"] == signing(keys)
    # What was signed before is as good as before.
    assert running.request("GET", "/api/v1/keys", headers=headers).status_code == 200


def test_a_retired_key_opens_nothing_any_longer(keys: Keys, running: RunningBroker) -> None:
    headers = own_token(running)
    kid = signing(keys, "RS256")
    assert running.request("GET", "/api/v1/keys", headers=headers).status_code == 200

    done = keys("retire", kid)

    assert (done.returncode, done.stdout) == (0, f"{kid} is retired\n")
    running.clock.advance(60)
    # The next commit notices, whatever it is about.
    running.exchange(running.github_token())
    assert running.request("GET", "/api/v1/keys", headers=headers).status_code == 401
    assert kid not in published(running)
    events = [event for event in running.events() if event["type"] == "key.retired"]
    assert [(event["actor"], event["target"]) for event in events] == [("command line", kid)]


def test_what_is_no_key_is_not_retired(keys: Keys) -> None:
    # Key ids may begin with a hyphen.
    done = keys("retire", "-no-such-key")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "broker: there is no signing key '-no-such-key'\n"


def test_a_new_master_key_is_made_and_the_running_broker_refuses_until_it_starts_again(
    keys: Keys, running: RunningBroker
) -> None:
    old = (running.folder / "master.key").read_text()
    before = listed(keys)
    done = keys("rewrap", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"master_key_file": str(running.folder / "master.key")}
    new = (running.folder / "master.key").read_text()
    assert new != old
    assert new.strip() not in done.stdout + done.stderr
    assert listed(keys) == before
    answer = running.exchange(running.github_token())
    assert (answer.status_code, answer.json()["reason"]) == (503, "store_unavailable")
    assert running.request("GET", "/readyz").status_code == 503
    # What was issued until then can still be verified.
    assert {key["kid"] for key in before} == published(running)


def test_a_master_key_of_one_s_own_is_taken(keys: Keys, running: RunningBroker) -> None:
    file = running.folder / "mine.key"
    file.write_text(NEW_KEY + "\n")
    file.chmod(0o600)

    assert keys("rewrap", "--new-key-file", str(file)).returncode == 0
    assert keys("list").returncode == 0
    held = (running.folder / "master.key").read_text().strip()
    assert base64.urlsafe_b64decode(held + "=") == bytes(range(32))


def test_a_master_key_of_the_environment_is_changed_in_the_store_alone(
    keys: Keys, running: RunningBroker
) -> None:
    file = running.folder / "master.key"
    old = file.read_text().strip()
    file.unlink()

    def with_variable(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "broker", "keys", *arguments]
        environment = {
            "BROKER_ISSUER": running.url,
            "BROKER_STORE": f"sqlite:{running.folder / 'broker.db'}",
            "BROKER_MASTER_KEY": old,
            "PYTHONPATH": str(ROOT),
            **variables,
        }
        return subprocess.run(
            command,
            cwd=running.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    refused = with_variable("rewrap")
    assert refused.returncode == 2
    assert "BROKER_NEW_MASTER_KEY" in refused.stderr

    done = with_variable("rewrap", BROKER_NEW_MASTER_KEY=NEW_KEY)
    assert done.returncode == 0, done.stderr
    assert NEW_KEY not in done.stdout + done.stderr
    assert with_variable("list", BROKER_MASTER_KEY=NEW_KEY).returncode == 0
    wrong = with_variable("list")
    assert wrong.returncode == 2
    assert "is not the master key of this store" in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1


def test_two_new_keys_are_one_too_many(keys: Keys) -> None:
    done = keys("rewrap", "--new-key-file", "mine.key", BROKER_NEW_MASTER_KEY=NEW_KEY)

    assert done.returncode == 2
    assert "use one of them" in done.stderr


def test_the_old_key_is_no_new_one(keys: Keys, running: RunningBroker) -> None:
    done = keys("rewrap", "--new-key-file", str(running.folder / "master.key"))

    assert done.returncode == 2
    assert "is the old one" in done.stderr


def test_no_store_is_made_by_looking_at_it(tmp_path: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "broker", "keys", "list"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no store yet" in done.stderr
    assert list(tmp_path.iterdir()) == []
