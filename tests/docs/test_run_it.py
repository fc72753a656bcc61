"""docs/guides/run-it.md, followed to the letter as far as it needs no other machine."""

import json
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import httpx
import pytest
from typer.main import get_command

from broker.cli.app import app
from broker.cli.serve import MAX_WORKERS
from broker.workers.restarts import MAX_EARLY_DEATHS
from broker.workers.supervisor import STOP_SECONDS
from tests.docs.markdown import ROOT, Page, rows
from tests.serving_process import ServingProcess, serving_process

PAGE = Page("docs/guides/run-it.md")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The working directory of the page, with the starter policies and a port that is free."""
    (settings,) = PAGE.blocks("yaml")
    text = settings.text.replace("listen: 127.0.0.1:8080", "listen: 127.0.0.1:0")
    (tmp_path / "broker.yaml").write_text(text)
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    return tmp_path


def make_master_key(home: Path) -> None:
    """Run the commands of the page."""
    _, making, *_ = PAGE.blocks("sh")
    subprocess.run(["sh", "-e", "-c", making.text], cwd=home, check=True, timeout=60)


def health_of(broker: ServingProcess, path: str) -> tuple[int, object]:
    with httpx.Client(trust_env=False) as http:
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
        with httpx.Client(trust_env=False) as http:
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
