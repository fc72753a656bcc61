"""Brokers and commands on one Redis: they behave as one."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.redis_server import RedisServer
from tests.workers.several_workers import (
    a_home,
    a_token,
    connections,
    environment,
    form,
    several_workers,
)


@pytest.fixture
def home(tmp_path: Path, redis: RedisServer) -> Path:
    home = a_home(tmp_path, limits="{client: off, address: off, failed: 200/h}")
    with (home / "broker.yaml").open("a") as configuration:
        configuration.write(f"store: {redis.url}\n")
    return home


def broker(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "broker", *arguments],
        cwd=home,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def statuses(clients: list[httpx.Client], forms: list[dict[str, str]]) -> list[list[int]]:
    """Post every form by every connection at once."""

    def post(client: httpx.Client) -> list[int]:
        return [client.post("/oauth/token", data=each).status_code for each in forms]

    with ThreadPoolExecutor(len(clients)) as pool:
        return list(pool.map(post, clients))


def test_two_brokers_with_two_workers_each_behave_as_one(home: Path) -> None:
    tokens = [form(a_token()) for _ in range(20)]
    with ExitStack() as stack:
        brokers = [stack.enter_context(several_workers(home)) for _ in range(2)]
        clients = [
            client
            for broker in brokers
            for client in stack.enter_context(connections(broker.url, 2))
        ]
        keys = [client.get("/.well-known/jwks.json").json() for client in clients]
        told = statuses(clients, tokens)
        counted = statuses(clients, [form("no token")] * 100)

    assert all(each == keys[0] for each in keys)
    for of_one_token in zip(*told, strict=True):
        assert sorted(of_one_token) == [200, 400, 400, 400]
    # Refusals before a signature holds count by address, those of used tokens by tenant.
    assert 190 <= sum(each.count(400) for each in counted) <= 210
    verified = broker(home, "audit", "verify", "--json")
    assert json.loads(verified.stdout)["ok"], verified


def test_the_commands_work_on_a_store_in_redis(home: Path) -> None:
    assert "the store cannot be used: there is none yet" in broker(home, "audit", "list").stderr
    made = broker(
        home, "accounts", "create", "cron", "--grant", "deploy-api=deploy:write", "--secret"
    )
    assert made.returncode == 0, made
    secret = made.stdout.strip()
    with several_workers(home, 1) as serving, connections(serving.url, 1) as [client]:
        answer = client.post(
            "/oauth/token",
            data={"grant_type": "client_credentials", "audience": "deploy-api"},
            auth=("cron", secret),
        )
        assert answer.status_code == 200, answer.text
        assert broker(home, "accounts", "disable", "cron").returncode == 0
        again = client.post(
            "/oauth/token",
            data={"grant_type": "client_credentials", "audience": "deploy-api"},
            auth=("cron", secret),
        )
        assert again.status_code == 401, again.text

    listed = broker(home, "audit", "list", "--json")
    types = {json.loads(line)["type"] for line in listed.stdout.splitlines()}
    assert {"account.created", "account.disabled", "token.issued"} <= types, listed
    erased = broker(home, "audit", "erase-claims", "--before", "1d", "--rewrite", "--yes")
    assert erased.returncode == 0, erased
    assert broker(home, "keys", "rotate", "--now").returncode == 0


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://127.0.0.1:1", "the store cannot be used: Error 111 connecting to 127.0.0.1:1"),
        (
            "redis://nobody:hunter2@HOST",
            "the store cannot be used: it refuses the user or the password",
        ),
    ],
)
def test_a_store_that_cannot_be_used_is_one_clear_line(
    home: Path, redis: RedisServer, url: str, told: str
) -> None:
    url = url.replace("HOST", f"127.0.0.1:{redis.port}")
    run = subprocess.run(
        [sys.executable, "-m", "broker", "serve", "--listen", "127.0.0.1:0"],
        cwd=home,
        env=environment() | {"BROKER_STORE": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 2, run
    assert told in run.stderr
    assert "hunter2" not in run.stderr + run.stdout
    assert "Traceback" not in run.stderr
