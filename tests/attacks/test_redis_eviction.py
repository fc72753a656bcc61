"""Row 181: a server that evicts forgets spent tokens, revocations and blocks, one by one."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.core.redis_address import read_redis_address
from broker.stores import redis_keys
from tests.redis_server import RedisServer, redis_server
from tests.replicas.several_brokers import a_replica_home
from tests.special_brokers import SpecialBroker
from tests.workers.several_workers import command, environment


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(autouse=True)
def keeping(server: RedisServer) -> None:
    """Let each test find the server as it has to be."""
    server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    server.command("FLUSHALL")


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_no_broker_starts_on_it_and_what_to_set_is_told(
    server: RedisServer, tmp_path: Path, policy: str
) -> None:
    server.command("CONFIG", "SET", "maxmemory-policy", policy)
    home = a_replica_home(tmp_path / "home", server.url)

    started = subprocess.run(
        command(),
        cwd=home,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert started.returncode == 2, started
    [line] = [each for each in started.stderr.splitlines() if "maxmemory-policy" in each]
    assert f"maxmemory-policy {policy}" in line
    assert "set `maxmemory-policy noeviction`" in line
    assert server.command("DBSIZE") == "0"


def test_a_broker_that_runs_issues_nothing_once_it_sees_that_things_are_forgotten(
    server: RedisServer, tmp_path: Path
) -> None:
    store = read_redis_address(server.url)
    with SpecialBroker(tmp_path, store=store).serving() as broker:
        token = broker.github_token()
        assert broker.exchange(token).status_code == 200

        server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        server.command("DEL", redis_keys.SPENDS)
        server.command("CLIENT", "KILL", "TYPE", "normal")

        answer = broker.exchange(token)
        assert (answer.status_code, answer.json()["reason"]) == (503, "store_unavailable")
        assert broker.request("GET", "/readyz").status_code == 503
