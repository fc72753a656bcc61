"""deploy/compose/redis.yaml fits its schema, the file for one broker, Redis, and its secrets."""

import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from broker.core.redis_address import read_redis_address
from tests.deploy import test_compose as alone
from tests.deploy import test_kubernetes_redis as kubernetes
from tests.deploy.dockerfiles import ROOT
from tests.deploy.given_redis import ISSUER, GivenRedis, a_home, assert_two_are_one
from tests.docs.checkers import check_schema
from tests.docs.markdown import Page

FILE = ROOT / "deploy/compose/redis.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
BROKERS = [SERVICES["broker-a"], SERVICES["broker-b"]]
REDIS: dict[str, Any] = SERVICES["redis"]
PAGE = Page("docs/guides/run-it.md")


def test_it_fits_the_schema() -> None:
    check_schema("vendor.compose-spec", FILE)


@pytest.mark.parametrize("broker", BROKERS)
def test_each_broker_is_the_one_of_the_other_file_but_for_its_store(broker: dict[str, Any]) -> None:
    ours, theirs = dict(broker), dict(alone.BROKER)
    for name in ("environment", "volumes", "ports", "networks", "depends_on", "env_file"):
        ours.pop(name, None)
        theirs.pop(name, None)

    assert ours == theirs
    kept = {"BROKER_POLICIES", "BROKER_MASTER_KEY_FILE"}
    settings = alone.BROKER["environment"]
    assert broker["environment"] == {name: settings[name] for name in kept}
    mounts = [each for each in alone.BROKER["volumes"] if each["source"] != "data"]
    assert broker["volumes"] == mounts


def test_each_broker_has_a_port_of_its_own_for_the_machine_alone() -> None:
    ports = [port for broker in BROKERS for port in broker["ports"]]

    assert ports == ["127.0.0.1:8080:8080", "127.0.0.1:8082:8080"]


def test_redis_is_reached_by_the_brokers_alone() -> None:
    assert "ports" not in REDIS
    assert REDIS["networks"] == ["store"]
    assert COMPOSE["networks"]["store"] == {"internal": True}
    assert all("store" in broker["networks"] for broker in BROKERS)
    for broker in BROKERS:
        assert broker["depends_on"] == {"redis": {"condition": "service_healthy"}}


def test_redis_is_read_only_and_has_no_right_and_the_memory_that_it_may_fill() -> None:
    assert REDIS["read_only"] is True
    assert REDIS["cap_drop"] == ["ALL"]
    assert REDIS["security_opt"] == ["no-new-privileges:true"]
    written = [each["target"] for each in REDIS["volumes"] if not each.get("read_only")]
    assert written == ["/data"]
    command = REDIS["command"]
    assert command[command.index("--maxmemory") + 1] == "1gb"
    assert REDIS["mem_limit"] == "2g"


def test_redis_is_set_as_on_kubernetes() -> None:
    words = REDIS["command"][1:]
    given = {
        name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)
    }
    theirs = {name: value.strip('"') for name, value in kubernetes.redis_settings().items()}
    named = ("appendonly", "appendfsync", "save", "maxmemory-policy")

    assert {name: given[name] for name in named} == {name: theirs[name] for name in named}
    assert REDIS["image"] == kubernetes.container("StatefulSet", kubernetes.REDIS)["image"]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """Make the secrets as the page says."""
    [making] = [each.text for each in PAGE.blocks("sh") if "users.acl" in each.text]
    # Of the owners there are none here.
    making = re.sub(r"^sudo chown .*\n", "", making, flags=re.MULTILINE)
    subprocess.run(["sh", "-e", "-c", making], cwd=tmp_path, check=True, timeout=60)
    return tmp_path / "secrets"


def test_what_is_mounted_is_made_by_the_page_for_its_owner_alone(secrets: Path) -> None:
    mounted = {
        Path(each["source"]).name
        for service in SERVICES.values()
        for each in service["volumes"]
        if each["source"].startswith("./secrets/")
    }
    named = {Path(each["path"]).name for broker in BROKERS for each in broker["env_file"]}

    assert {each.name for each in secrets.iterdir()} == mounted | named
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in secrets.iterdir()} == {0o600}


def test_the_users_are_those_of_kubernetes(secrets: Path) -> None:
    users = (secrets / "users.acl").read_text()
    url = (secrets / "store.env").read_text().strip().removeprefix("BROKER_STORE=")
    [password] = re.findall(r"://broker:([A-Za-z0-9_-]{32})@redis:6379/0$", url)

    assert users == kubernetes.secret()["users.acl"].replace("replace me", password)
    read_redis_address(url)


def test_two_brokers_as_given_are_one_on_redis_as_given(secrets: Path, tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    program, *words = REDIS["command"]
    assert program == "redis-server"
    words = [str(secrets / "users.acl") if word.endswith("users.acl") else word for word in words]
    server = GivenRedis(folder, words)
    variable, _, url = (secrets / "store.env").read_text().strip().partition("=")
    policies = kubernetes.one("ConfigMap", "ci-token-broker-policies")["data"]
    homes = []
    for name in ("a", "b"):
        home = tmp_path / name
        homes.append(a_home(home, f"issuer: {ISSUER}\nmaster_key_file: master.key\n", policies))
    server.start()
    try:
        here = url.replace("@redis:6379", f"@127.0.0.1:{server.port}")
        assert_two_are_one(homes, {variable: here}, server)
    finally:
        server.kill()
