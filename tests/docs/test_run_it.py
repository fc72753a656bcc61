"""docs/guides/run-it.md, followed to the letter as far as it needs no other machine."""

import json
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from typer.main import get_command

from broker.cli.app import app
from broker.cli.serve import MAX_WORKERS
from broker.serving.server import uvicorn_config
from broker.settings import keys
from broker.settings import load as load_settings
from broker.stores.redis_limits import ALIVE_SECONDS
from broker.workers.restarts import MAX_EARLY_DEATHS
from broker.workers.supervisor import STOP_SECONDS
from tests.deploy import dockerfiles, test_kubernetes, test_kubernetes_redis
from tests.docs.markdown import ROOT, Page, code, rows
from tests.serving_process import ServingProcess, serving_process

PAGE = Page("docs/guides/run-it.md")
KUBERNETES = ROOT / "deploy/kubernetes"
SEVERAL = ROOT / "deploy/kubernetes-redis"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The working directory of the page, with the starter policies and a port that is free."""
    settings, *_ = PAGE.blocks("yaml")
    text = settings.text.replace("listen: 127.0.0.1:8080", "listen: 127.0.0.1:0")
    (tmp_path / "broker.yaml").write_text(text)
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    return tmp_path


def make_master_key(home: Path) -> None:
    """Run the commands of the page."""
    _, making, *_ = PAGE.blocks("sh")
    subprocess.run(["sh", "-e", "-c", making.text], cwd=home, check=True, timeout=60)


def health_of(broker: ServingProcess, path: str) -> tuple[int, object]:
    with httpx.Client(trust_env=False, timeout=60) as http:
        answer = http.get(f"{broker.url}{path}")
    return answer.status_code, answer.json()


def arguments(home: Path) -> list[str]:
    """Give what the service file of the page starts, behind `broker serve`."""
    (unit,) = PAGE.blocks("ini")
    (line,) = [each for each in unit.text.splitlines() if each.startswith("ExecStart=")]
    program, command, *rest = line.removeprefix("ExecStart=").split()
    assert (program, command) == ("/opt/broker/bin/broker", "serve")
    return [each.replace("/srv/broker", str(home)) for each in rest]


def test_the_master_key_is_for_its_owner_alone(home: Path) -> None:
    make_master_key(home)

    assert stat.S_IMODE((home / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "data/master.key").stat().st_mode) == 0o600


def test_without_the_master_key_nothing_starts(home: Path) -> None:
    with pytest.raises(AssertionError, match="the key must be there before the first start"):
        serving_process(home, *arguments(home)).__enter__()

    assert not (home / "data").exists()


def test_the_broker_starts_answers_tells_and_stops(home: Path) -> None:
    make_master_key(home)
    with serving_process(home, *arguments(home)) as broker:
        assert broker.facts["issuer"] == "https://broker.example.com"
        assert health_of(broker, "/readyz") == (200, {"status": "ready"})
        assert health_of(broker, "/healthz") == (200, {"status": "ok"})
        with httpx.Client(trust_env=False, timeout=60) as http:
            http.get(f"{broker.url}/oauth/token", headers={"X-Forwarded-For": "192.0.2.7"})
        lines = [json.loads(line) for line in broker.stop().splitlines()]

    *keys, event, head = lines
    assert {each["type"] for each in keys} == {"key.created"}
    assert (head["type"], head["seq"]) == ("audit.head", event["seq"])
    assert (event["reason"], event["client_address"]) == ("malformed_request", "192.0.2.7")
    assert broker.process.returncode == 0
    left = [file.name for file in sorted((home / "data").iterdir())]
    assert left == ["broker.db", "broker.db-limits", "master.key"]


def test_a_lost_master_key_is_not_made_anew(home: Path) -> None:
    make_master_key(home)
    with serving_process(home, *arguments(home)) as broker:
        broker.stop()
    make_master_key(home)

    with pytest.raises(AssertionError, match="master key"):
        serving_process(home, *arguments(home)).__enter__()


def test_hangup_reloads_the_policies_as_the_page_says(home: Path) -> None:
    assert "SIGHUP reloads the policies" in PAGE.text
    make_master_key(home)
    with serving_process(home, *arguments(home)) as broker:
        (home / "policies" / "issuers.yaml").write_text("no: [policy\n")
        broker.process.send_signal(signal.SIGHUP)

        assert broker.process.stderr is not None
        said = next(line for line in broker.process.stderr if "are not in force" in line)
        assert json.loads(said)["actor"] == "SIGHUP"
        assert health_of(broker, "/readyz") == (200, {"status": "degraded"})


def test_the_unit_is_that_of_the_project() -> None:
    (unit,) = PAGE.blocks("ini")

    assert unit.text == (ROOT / "deploy/systemd/broker.service").read_text()


def test_the_places_of_the_unit_are_those_that_commands_are_told(tmp_path: Path) -> None:
    (unit,) = PAGE.blocks("ini")
    (tmp_path / "broker.yaml").write_text(
        "issuer: https://broker.example.com\n" + PAGE.blocks("yaml")[1].text
    )
    told = load_settings(None, {}, working_directory=tmp_path, serving=False)

    assert f"BROKER_STORE=sqlite:{told.store.shown}".replace("/var/lib", "%S") in unit.text
    assert f"LoadCredential=master.key:{told.master_key_file}\n" in unit.text
    assert f" {told.master_key_file}\n" in PAGE.text


def store_commands(home: Path) -> list[list[str]]:
    """Give the commands of the page that work on the store, for the folder of a test."""
    lines = [line for block in PAGE.blocks("sh") for line in block.text.splitlines()]
    found = [line for line in lines if line.startswith("broker store ")]
    places = (("/backup", str(home / "backup")), ("/srv/broker", str(home)))
    for shown, place in places:
        found = [line.replace(shown, place) for line in found]
    return [line.split()[1:] for line in found]


def test_the_store_is_backed_up_while_the_broker_serves_restored_and_moved(home: Path) -> None:
    make_master_key(home)
    backup, restore, copy = store_commands(home)
    assert (backup[1], restore[1], copy[1]) == ("backup", "restore", "copy")

    def run(words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "broker", *words],
            cwd=home,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    with serving_process(home, *arguments(home)) as broker:
        done = run(backup)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout.splitlines()[-1])["type"] == "audit.head"
        assert run(restore).returncode == 2
        broker.stop()
    assert run(restore).returncode == 0
    assert run(copy).returncode == 0
    assert sorted(each.name for each in (home / "backup").iterdir()) == ["broker.db", "moved.db"]
    with serving_process(home, *arguments(home)) as broker:
        assert health_of(broker, "/readyz") == (200, {"status": "ready"})


def test_the_times_that_the_page_gives_for_stores_are_those_of_the_code() -> None:
    assert (ALIVE_SECONDS, "in the last five seconds" in PAGE.text) == (5, True)


def test_the_container_of_the_page_is_that_of_the_dockerfile() -> None:
    image = dockerfiles.read()[1][-1]
    build, run = PAGE.blocks("sh")[4].text.replace("\\\n", " ").splitlines()
    words = shlex.split(run)
    after = [(words[place], words[place + 1]) for place in range(len(words) - 1)]
    targets = {word.split(":")[1] for option, word in after if option == "--volume"}
    home, port = image.only("WORKDIR"), image.only("EXPOSE")
    tag = f"ci-token-broker:{image.variables('LABEL')['org.opencontainers.image.version']}"

    assert build == f"docker build --tag {tag} ."
    assert words[-1] == tag
    assert targets == {f"{home}/broker.yaml", f"{home}/policies", image.only("VOLUME")}
    assert ("--publish", f"127.0.0.1:{port}:{port}") in after
    assert [word for option, word in after if option == "--env"] == [keys.MASTER_KEY.variable]
    assert f"user {image.only('USER').split(':')[0]}" in PAGE.section("In a container")


def test_every_manifest_has_a_row_and_every_row_a_manifest() -> None:
    listed = [code(row[0]) for row in rows(PAGE.section("On Kubernetes"))]

    assert sorted(listed) == sorted(each.name for each in KUBERNETES.glob("*"))


def test_every_manifest_for_several_brokers_has_a_row_and_the_others_are_applied_too() -> None:
    section = PAGE.section("With Kubernetes")
    listed = [code(row[0]) for row in rows(section)]
    applied = re.findall(r"--filename deploy/kubernetes/(\S+)", section)

    assert sorted(listed) == sorted(each.name for each in SEVERAL.glob("*"))
    assert applied == test_kubernetes_redis.TAKEN_OVER
    assert "apply --filename deploy/kubernetes-redis/ " in section


def test_the_end_of_a_pod_is_told_as_it_is() -> None:
    section = PAGE.section("With Kubernetes")
    end = test_kubernetes_redis.container()["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert (end, "for ten seconds it goes on serving" in section) == (10, True)
    assert f"in {STOP_SECONDS:g} seconds at most" in section
    assert uvicorn_config(nothing).timeout_graceful_shutdown == 10
    assert "It takes ten seconds at most" in PAGE.section("Start it")


async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Serve nobody."""


def test_what_the_page_runs_in_the_pod_is_there() -> None:
    section = PAGE.section("On Kubernetes")
    admin = test_kubernetes.container()["ports"][1]["containerPort"]
    config = test_kubernetes.container()["args"][-1]

    assert f"broker keys list --config {config}\n" in section
    assert "exec deploy/ci-token-broker " in section
    assert f"port {admin} for the API" in section
    assert 'ci-token-broker/operator: "true"' in section
    assert 'ci-token-broker/operator: "true"' in (KUBERNETES / "network-policy.yaml").read_text()


def test_the_page_says_when_a_broker_gives_up_and_when_it_kills() -> None:
    text = PAGE.section("Workers")

    assert (MAX_EARLY_DEATHS, "dies five times soon after its start" in text) == (5, True)
    assert f"as do {STOP_SECONDS:g} seconds" in text


def test_the_options_of_serve_are_those_of_the_reference() -> None:
    page = Page("docs/reference/configuration.md")
    table = rows(page.section("Options of `broker serve`"))
    listed = {row[0].strip("`").split()[0]: row[1].strip("`") for row in table}
    serve = get_command(app).commands["serve"]  # type: ignore[attr-defined]

    assert sorted(listed) == sorted(each.opts[0] for each in serve.params)
    assert listed["--workers"] == str(
        next(each.default for each in serve.params if each.name == "workers")
    )
    assert f"from 1 to {MAX_WORKERS}" in page.text
